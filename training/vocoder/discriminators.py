"""Discriminators of sound: by period and by resolution.

Periods: HiFi-GAN (Kong, Kim, Bae 2020, arXiv 2010.05646), a quarter as wide by default, which a CPU
can train. Resolutions: UnivNet (Jang et al. 2021, arXiv 2106.07889), with hops of a quarter of the
window (as in Kumar et al. 2023, arXiv 2306.06546): on a CPU, images of shorter hops take most of a step.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from voxrelay.training.spectra import Magnitudes

SLOPE = 0.1
Verdict = tuple[torch.Tensor, list[torch.Tensor]]  # scores, and the features of every layer


def _judge(layers: nn.ModuleList, last: nn.Module, x: torch.Tensor) -> Verdict:
    """Run convolutions, keeping what each gives."""
    features = []
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
        features.append(x)
    scores = last(x)
    return scores, [*features, scores]


class PeriodDiscriminator(nn.Module):
    """Sees sound [batch, samples] as an image of ``period`` columns.

    Args:
        period: samples.
        channels: of the layers; all but the last shorten time by three.

    """

    def __init__(self, period: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.period = period
        strides = [3] * (len(channels) - 1) + [1]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, (5, 1), (stride, 1), (2, 0)))
            for before, after, stride in zip([1, *channels], channels, strides, strict=False)
        )
        self.last = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, sound: torch.Tensor) -> Verdict:
        """Judge, the end reflected to a whole number of periods."""
        padded = functional.pad(sound[:, None], (0, -sound.shape[1] % self.period), mode="reflect")
        return _judge(self.layers, self.last, padded.unflatten(2, (-1, self.period)))


class ResolutionDiscriminator(nn.Module):
    """Sees the magnitudes of sound [batch, samples]; sizes of its transform in samples."""

    def __init__(self, resolution: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        self.spectrum = Magnitudes(*resolution)
        shapes = [((3, 9), (1, 1))] + [((3, 9), (1, 2))] * 3 + [((3, 3), (1, 1))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(channels if i else 1, channels, kernel, stride, (kernel[0] // 2, kernel[1] // 2)))
            for i, (kernel, stride) in enumerate(shapes)
        )
        self.last = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, sound: torch.Tensor) -> Verdict:
        """Judge the image of magnitudes, bins by frames, in float32 up to its first convolution."""
        with torch.autocast(sound.device.type, enabled=False):
            image = self.spectrum(sound)[:, None]
        return _judge(self.layers, self.last, image)


class Discriminators(nn.Module):
    """All of them; one verdict each.

    Args:
        periods: samples, primes.
        period_channels: of the layers of each period's discriminator.
        resolutions: transform, hop and window, samples.
        resolution_channels: of the layers of each resolution's discriminator.

    """

    def __init__(
        self,
        periods: Sequence[int],
        period_channels: Sequence[int],
        resolutions: Sequence[tuple[int, int, int]],
        resolution_channels: int,
    ) -> None:
        super().__init__()
        by_period = [PeriodDiscriminator(period, period_channels) for period in periods]
        by_resolution = [ResolutionDiscriminator(resolution, resolution_channels) for resolution in resolutions]
        self.each = nn.ModuleList([*by_period, *by_resolution])

    def forward(self, sound: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the scores of each for sound [batch, samples], and the features of all layers of all."""
        verdicts = [judge(sound) for judge in self.each]
        return [scores for scores, _ in verdicts], [feature for _, features in verdicts for feature in features]
