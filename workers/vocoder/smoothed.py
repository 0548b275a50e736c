"""What is left of the source's own spectrum where its waveform is lent: its fine structure.

A mel that a network makes in another voice is right about broad features and wrong about narrow ones: single bands,
single frames, by which words are told. The waveform that is lent has those of what was said. So what lies between
its spectrum and the mel is smoothed over neighbouring bands and frames before anything is fitted to it: spectral
differentials, as in :mod:`~voxrelay.workers.vocoder.excited`, that are no finer than a network knows them.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.workers.vocoder.excited import LOWEST, MOST, lent_share
from voxrelay.workers.vocoder.spectra import SHORTEST, Spectra

_BANDS, _FRAMES = 1.0, 0.9  # standard deviations of the Gaussian; twice as broad, and the source is recognised
_REACH = 3  # bands and frames to either side


class Smoothed(nn.Module):
    """Log-mel spectrogram, float32 [batch, 80, frames], to sound, float32 [batch, 256 * frames].

    Args:
        generator: of the same shapes, which takes an excitation.
        filters: of the mel, [80, 513].

    """

    kernel: torch.Tensor

    def __init__(self, generator: nn.Module, filters: NDArray[np.float32]) -> None:
        super().__init__()
        self.generator, self.spectra = generator, Spectra(filters)
        self.register_buffer("kernel", kernel(), persistent=False)

    def forward(self, mel: torch.Tensor, *excitation: torch.Tensor) -> torch.Tensor:
        """Generate; with an excitation, float32 [batch, 256 * frames], from a mel that has more of its spectrum."""
        if excitation and excitation[0].shape[-1] >= SHORTEST:
            mel = self.kept(mel, *excitation)
        sound: torch.Tensor = self.generator(mel, *excitation)
        return sound

    def kept(self, mel: torch.Tensor, excitation: torch.Tensor) -> torch.Tensor:
        """Return the mel, nearer to the excitation's wherever that is the one to be heard."""
        with torch.autocast(mel.device.type, enabled=False):
            mel = mel.float()
            return mel + broader(self.spectra.lacking(self.spectra.of(excitation), mel), self.kernel)


def broader(raised: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Say what makes gains as broad as a network knows them, where a recording is lent.

    Args:
        raised: by how much its spectrum has to be raised, natural logarithm, [batch, 80, frames].
        kernel: that of :func:`kernel`.

    Returns:
        what is to be added to the mel, of the same shape.

    """
    gains = raised.clamp(LOWEST, MOST)
    around = functional.pad(gains[:, None], (_REACH,) * 4, mode="replicate")
    return lent_share(raised) * (functional.conv2d(around, kernel)[:, 0] - gains)


def kernel() -> torch.Tensor:
    """Return what gains are smoothed by, float32 [1, 1, bands, frames]."""
    return torch.outer(_bell(_BANDS), _bell(_FRAMES))[None, None]


def _bell(deviation: float) -> torch.Tensor:
    """Return a Gaussian whose values add up to 1, float32 [2 * reach + 1]."""
    values = torch.tensor([math.exp(-0.5 * (i / deviation) ** 2) for i in range(-_REACH, _REACH + 1)])
    return values / values.sum()
