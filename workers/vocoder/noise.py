"""Noise that does not repeat itself.

A generator that is given nothing but a mel makes of a steady mel the same in every frame, and a small one does so of
mels that are not steady as well: where speech is noise, a pattern of 256 samples comes again and again, a buzz at 86 Hz
and its multiples. So where speech is noise the phases of the sound's spectrum are drawn at random, its magnitudes
stay: what a harmonic plus noise model does (Stylianou, IEEE TSAP 9(1), 2001). How much of a moment is noise is told by
its mel: of sounds with a voice the more of it the higher, of those without nearly all.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL

_WINDOW, _HOP = 256, 64  # samples: a burst is smeared by no more than 6 ms
_VOICED, _VOICELESS = (2000.0, 5000.0), (700.0, 1300.0)  # Hz: below the first no noise, above the second nothing else
_LOW, _HIGH, _AS_STRONG = 1000.0, 2500.0, 0.5  # without a voice: power above a half of that below
_DRAWN = 2048  # frames, six seconds: then the phases come again
_LEFT = 0.25  # of power, by frames that overlap and agree no more: Hann windows by quarters, at analysis and synthesis


class NoisePhases(nn.Module):
    """Log-mel spectrogram, float32 [batch, 80, frames], to sound, float32 [batch, 256 * frames].

    Args:
        generator: of the same shapes.
        filters: of the mel, [80, 513].

    """

    def __init__(self, generator: nn.Module, filters: NDArray[np.float32]) -> None:
        super().__init__()
        self.generator = generator
        hertz = torch.linspace(0, MEL.rate / 2, _WINDOW // 2 + 1)[:, None]
        centres = torch.from_numpy(filters.argmax(axis=1)) * MEL.rate / MEL.fft
        drawn = torch.rand(_DRAWN, _WINDOW // 2 + 1, generator=torch.Generator().manual_seed(0)).T
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)
        self.register_buffer("phases", (2 * drawn - 1) * math.pi, persistent=False)
        for name, (none, all_of_it) in (("voiced", _VOICED), ("voiceless", _VOICELESS)):
            self.register_buffer(name, ((hertz - none) / (all_of_it - none)).clamp(0, 1), persistent=False)
        # What no mel tells of is not made louder.
        self.register_buffer("left", torch.where(hertz <= MEL.high, _LEFT, 1.0), persistent=False)
        self.register_buffer("low", centres < _LOW, persistent=False)
        self.register_buffer("high", centres > _HIGH, persistent=False)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Generate, and draw the phases of what is noise."""
        sound: torch.Tensor = self.generator(mel)
        with torch.autocast(sound.device.type, enabled=False):
            sound = sound.float()
            spectrum = torch.stft(sound, _WINDOW, _HOP, _WINDOW, self.window, return_complex=True)
            frames = spectrum.shape[-1]
            voiceless = functional.interpolate(self._voiceless(mel.float()), size=frames, mode="linear")
            share = self.voiced + (self.voiceless - self.voiced) * voiceless
            turn = share * self.phases[:, torch.arange(frames, device=sound.device) % _DRAWN]
            agreeing = torch.sinc(share).square()  # power of the mean of such turns
            turned = spectrum * torch.polar((agreeing + (1 - agreeing) * self.left).rsqrt(), turn)
            return torch.istft(turned, _WINDOW, _HOP, _WINDOW, self.window, length=sound.shape[-1])

    def _voiceless(self, mel: torch.Tensor) -> torch.Tensor:
        """Tell how much each frame is without a voice, 0 to 1, [batch, 1, frames]."""
        power = (2 * mel).exp()
        low, high = (power[:, bands].sum(dim=1, keepdim=True).clamp_min(1e-9) for bands in (self.low, self.high))
        return torch.sigmoid(2 * (high / low / _AS_STRONG).log())
