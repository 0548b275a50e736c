"""A generator that is lent the waveform of the source, at the asked pitch.

Who speaks is in the mel; how a throat sounds, a small generator knows less well than any recording does. So the
recording's spectrum is fitted to the mel, band by band and frame by frame, and where it has next to nothing to be
fitted (a telephone's upper half) the generator speaks, as it does where no recording is lent: spectral differentials
(Kobayashi, Toda and Nakamura, "F0 transformation techniques for statistical voice conversion with direct waveform
modification with spectral differential", SLT 2016), and a vocoder for what they cannot reach.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.workers.vocoder.spectra import SHORTEST, Spectra

MOST = 2.0  # of a natural logarithm, 17 dB: what has to be raised by more is the generator's
_SOFT = 0.3  # of the same: over how much of it the one gives way to the other
LOWEST = -4.0  # so far the recording is lowered at most
_OWN = 1.0  # so far the generator's is moved, either way


class Excited(nn.Module):
    """Log-mel spectrogram, float32 [batch, 80, frames], to sound, float32 [batch, 256 * frames].

    Args:
        generator: of the same shapes.
        filters: of the mel, [80, 513].

    """

    def __init__(self, generator: nn.Module, filters: NDArray[np.float32]) -> None:
        super().__init__()
        self.generator, self.spectra = generator, Spectra(filters)

    def forward(self, mel: torch.Tensor, excitation: torch.Tensor | None = None) -> torch.Tensor:
        """Generate, and say with the excitation, float32 [batch, 256 * frames], what that can say."""
        sound: torch.Tensor = self.generator(mel)
        if excitation is None or sound.shape[-1] < SHORTEST:
            return sound
        with torch.autocast(sound.device.type, enabled=False):
            lent, made, mel = self.spectra.of(excitation), self.spectra.of(sound.float()), mel.float()
            raised, moved = self.spectra.lacking(lent, mel), self.spectra.lacking(made, mel)
            share = functional.avg_pool1d(lent_share(raised), 3, 1, 1, count_include_pad=False)
            said = lent * self.spectra.by_bin(share) * self.spectra.by_bin(raised.clamp(LOWEST, MOST + 1)).exp()
            rest = made * (1 - self.spectra.by_bin(share)) * self.spectra.by_bin(moved.clamp(-_OWN, _OWN)).exp()
            return self.spectra.sound(said + rest)


def lent_share(raised: torch.Tensor) -> torch.Tensor:
    """Say how much of each band is the recording's, 0 to 1, that would have to be raised by so much; same shape."""
    return torch.sigmoid((MOST - raised) / _SOFT)
