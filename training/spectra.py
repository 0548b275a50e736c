"""Spectra that losses are taken on, differentiable and in float32."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL, MelSpec

MARGIN = (MEL.fft - MEL.hop) // 2  # samples of context that a mel needs at each end

_LINEAR_TO = 1000.0  # Hz; Slaney's scale is linear below and logarithmic above
_HZ_PER_MEL = 200 / 3
_LOG_STEP = np.log(6.4) / 27


def mel_filters(spec: MelSpec = MEL) -> NDArray[np.float32]:
    """Make Slaney's filters, float32 [bands, bins]: triangles of equal area.

    M. Slaney, Auditory Toolbox, Technical Report 1998-010, Interval Research.
    """
    edges = _edges(spec)
    bins = np.linspace(0, spec.rate / 2, spec.fft // 2 + 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(triangles, 0) * 2 / (high - low), dtype=np.float32)


def mel_centres(spec: MelSpec = MEL) -> NDArray[np.float64]:
    """Return where those filters are highest, Hz, [bands]."""
    return _edges(spec)[1:-1]


def _edges(spec: MelSpec) -> NDArray[np.float64]:
    """Return where filters begin, are highest and end, Hz: each at those of its neighbours, [bands + 2]."""
    return _to_hz(np.linspace(_to_mel(spec.low), _to_mel(spec.high), spec.bands + 2))


def _to_mel(hertz: float) -> float:
    if hertz < _LINEAR_TO:
        return hertz / _HZ_PER_MEL
    return float(_LINEAR_TO / _HZ_PER_MEL + np.log(hertz / _LINEAR_TO) / _LOG_STEP)


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    corner = _LINEAR_TO / _HZ_PER_MEL
    return np.where(mel < corner, mel * _HZ_PER_MEL, _LINEAR_TO * np.exp((mel - corner) * _LOG_STEP))


class LogMel(nn.Module):
    """The log-mel spectrogram that :data:`~voxrelay.relay.tensors.MEL` defines."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(MEL.window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel_filters()), persistent=False)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """Turn sound, float32 [batch, 256 * frames], into float32 [batch, 80, frames], its ends reflected."""
        return self.inner(functional.pad(sound, (MARGIN, MARGIN), mode="reflect"))

    def inner(self, sound: torch.Tensor) -> torch.Tensor:
        """Do so for sound that brings 384 samples of context at each end."""
        spectrum = _stft(sound, MEL.fft, MEL.hop, self.window, center=False)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        return torch.matmul(self.filters, magnitude).clamp_min(1e-5).log()


class Magnitudes(nn.Module):
    """Magnitudes at one resolution, [batch, samples] to [batch, bins, frames]; sizes in samples."""

    def __init__(self, fft: int, hop: int, window: int) -> None:
        super().__init__()
        self.fft, self.hop = fft, hop
        self.register_buffer("window", torch.hann_window(window), persistent=False)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """Take frames centred on multiples of the hop."""
        spectrum = _stft(sound, self.fft, self.hop, self.window, center=True)
        return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()


def _stft(sound: torch.Tensor, fft: int, hop: int, window: torch.Tensor, *, center: bool) -> Any:  # noqa: ANN401
    """Call torch.stft with a window that may be shorter than the transform."""
    return torch.stft(sound, fft, hop, len(window), window, center=center, return_complex=True)
