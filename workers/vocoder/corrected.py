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

from voxrelay.workers.vocoder.spectra import SHORTEST, Spectra

_MOST = 1.0  # of a natural logarithm, 8.7 dB either way: what is further off is noise, not a formant


class Corrected(nn.Module):
    """Log-mel spectrogram, float32 [batch, 80, frames], to sound, float32 [batch, 256 * frames].

    Args:
        generator: of the same shapes; it may take more than a mel.
        filters: of the mel, [80, 513].
        rounds: of correction, 1 or more.

    """

    def __init__(self, generator: nn.Module, filters: NDArray[np.float32], rounds: int) -> None:
        super().__init__()
        self.generator, self._rounds, self.spectra = generator, rounds, Spectra(filters)

    def forward(self, mel: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
        """Generate and correct; what is too short to have a mel is left as it is."""
        sound: torch.Tensor = self.generator(mel, *more)
        with torch.autocast(sound.device.type, enabled=False):
            sound = sound.float()
            for _ in range(self._rounds if sound.shape[-1] >= SHORTEST else 0):
                spectrum = self.spectra.of(sound)
                lacking = self.spectra.lacking(spectrum, mel.float()).clamp(-_MOST, _MOST)
                sound = self.spectra.sound(spectrum * self.spectra.by_bin(lacking).exp())
        return sound
