"""Spectra that can be held against a log-mel spectrogram: the transform of its definition, there and back."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL

_MARGIN = (MEL.fft - MEL.hop) // 2
_POWER, _QUIET, _RARE = 1e-9, 1e-5, 1e-6  # floors of the mel's definition, and of overlapping windows and filters
SHORTEST = _MARGIN + 1  # samples that have a mel


class Spectra(nn.Module):
    """Analysis, what bands lack, and synthesis.

    Args:
        filters: of the mel, float32 [80, 513].

    """

    def __init__(self, filters: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(MEL.window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        heard = self.filters.sum(dim=0)
        # What every bin takes of the bands': their mean, weighted by how much of it they hear; of none nothing.
        share = torch.where(heard > _RARE, self.filters / heard.clamp_min(_RARE), 0.0)
        self.register_buffer("share", share, persistent=False)

    def of(self, sound: torch.Tensor) -> torch.Tensor:
        """Analyse sound, float32 [batch, 256 * frames]: complex [batch, 513, frames]."""
        padded = functional.pad(sound[:, None], (_MARGIN, _MARGIN), mode="reflect")[:, 0]
        return torch.stft(padded, MEL.fft, MEL.hop, MEL.window, self.window, center=False, return_complex=True)

    def lacking(self, spectrum: torch.Tensor, mel: torch.Tensor) -> torch.Tensor:
        """Say by how much a spectrum's bands have to be raised, natural logarithm, [batch, 80, frames]."""
        magnitudes = (spectrum.real.square() + spectrum.imag.square() + _POWER).sqrt()
        return mel - (self.filters @ magnitudes).clamp_min(_QUIET).log()

    def by_bin(self, bands: torch.Tensor) -> torch.Tensor:
        """Spread what was said of bands, [batch, 80, frames], over bins: [batch, 513, frames]; 0 where no band is."""
        return self.share.T @ bands

    def sound(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Synthesise, float32 [batch, 256 * frames]."""
        frames = torch.fft.irfft(spectrum, MEL.fft, dim=1) * self.window[:, None]
        count = spectrum.shape[-1] * MEL.hop + 2 * _MARGIN
        squares = self.window.square()[None, :, None].expand(1, -1, spectrum.shape[-1])
        whole = _overlap(frames, count) / _overlap(squares, count).clamp_min(_RARE)
        return whole[:, _MARGIN:-_MARGIN]


def _overlap(frames: torch.Tensor, samples: int) -> torch.Tensor:
    """Add frames, [batch, 1024, frames], where they lie: [batch, samples]."""
    return functional.fold(frames, (1, samples), (1, MEL.fft), stride=(1, MEL.hop))[:, 0, 0]
