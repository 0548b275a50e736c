"""Discriminators of patches of mel spectrograms, at three scales.

Isola et al. 2017, arXiv 1611.07004, as a two-dimensional, multi-scale judge of what a regression blurs.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

_SCALES = (1, 2, 4)
_SLOPE = 0.2
_MEAN, _SPREAD = -6.0, 2.5


class Patches(nn.Module):
    """Judges patches of [batch, 80, frames], made coarser by ``scale``."""

    def __init__(self, scale: int, channels: int) -> None:
        super().__init__()
        self.scale = scale
        widths = [1, channels, 2 * channels, 2 * channels, 2 * channels]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, 3, stride, 1))
            for before, after, stride in zip(widths, widths[1:], (1, 2, 2, 1), strict=False)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return scores of patches, and the features of every layer."""
        x = functional.avg_pool2d(mel[:, None], self.scale) if self.scale > 1 else mel[:, None]
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), _SLOPE)
            features.append(x)
        return self.last(x), features


class Discriminators(nn.Module):
    """All of them; one verdict each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(Patches(scale, channels) for scale in _SCALES)

    def forward(self, mel: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Judge mels, [batch, frames, 80]; the scores of each, and the features of all layers of all."""
        verdicts = [judge((mel.transpose(1, 2) - _MEAN) / _SPREAD) for judge in self.each]
        return [scores for scores, _ in verdicts], [feature for _, features in verdicts for feature in features]
