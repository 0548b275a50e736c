"""A generator whose sound has the mel it was made from.

What a small generator gives has a mel spectrogram of its own, near to the one it was asked for: formants are a little
off, and words and voices with them. Its phases are good. So the magnitudes of its spectrogram are scaled, band by band
and frame by frame, by what the mel of the sound lacks, and a sound is made of them again: Griffin and Lim's projection
(IEEE TASSP 32(2), 1984) with the generator's phases to begin with, and a mel in place of the magnitudes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL

_MARGIN = (MEL.fft - MEL.hop) // 2
_MOST = 1.0  # of a natural logarithm, 8.7 dB either way: what is further off is noise, not a formant
_POWER, _QUIET, _RARE = 1e-9, 1e-5, 1e-6  # floors of the mel's definition, and of overlapping windows and filters


class Corrected(nn.Module):
    """Log-mel spectrogram, float32 [batch, 80, frames], to sound, float32 [batch, 256 * frames].

    Args:
        generator: of the same shapes.
        filters: of the mel, [80, 513].
        rounds: of correction, 1 or more.

    """

    def __init__(self, generator: nn.Module, filters: NDArray[np.float32], rounds: int) -> None:
        super().__init__()
        self.generator, self._rounds = generator, rounds
        self.register_buffer("window", torch.hann_window(MEL.window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        heard = self.filters.sum(dim=0)
        # What every bin takes of the bands' corrections: their mean, weighted by how much of it they hear.
        share = torch.where(heard > _RARE, self.filters / heard.clamp_min(_RARE), 0.0)
        self.register_buffer("share", share, persistent=False)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Generate and correct; what is too short to have a mel is left as it is."""
        sound: torch.Tensor = self.generator(mel)
        with torch.autocast(sound.device.type, enabled=False):
            sound = sound.float()
            if sound.shape[-1] > _MARGIN:
                squares = self.window.square()[None, :, None].expand(1, -1, mel.shape[-1])
                weight = self._overlap(squares, sound.shape[-1] + 2 * _MARGIN).clamp_min(_RARE)
                for _ in range(self._rounds):
                    sound = self._correct(sound, mel.float(), weight)
        return sound

    def _correct(self, sound: torch.Tensor, mel: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(sound[:, None], (_MARGIN, _MARGIN), mode="reflect")[:, 0]
        spectrum = torch.stft(padded, MEL.fft, MEL.hop, MEL.window, self.window, center=False, return_complex=True)
        magnitudes = (spectrum.real.square() + spectrum.imag.square() + _POWER).sqrt()
        found = (self.filters @ magnitudes).clamp_min(_QUIET).log()
        gain = self.share.T @ (mel - found).clamp(-_MOST, _MOST)
        frames = torch.fft.irfft(spectrum * gain.exp(), MEL.fft, dim=1) * self.window[:, None]
        whole = self._overlap(frames, padded.shape[-1])
        return (whole / weight)[:, _MARGIN:-_MARGIN]

    @staticmethod
    def _overlap(frames: torch.Tensor, samples: int) -> torch.Tensor:
        """Add frames, [batch, 1024, frames], where they lie: [batch, samples]."""
        return functional.fold(frames, (1, samples), (1, MEL.fft), stride=(1, MEL.hop))[:, 0, 0]
