"""The HiFi-GAN generator: transposed convolutions, and residual blocks of several receptive fields.

Kong, Kim, Bae 2020, arXiv 2010.05646. Hyper-parameters and parameter names are those of the published
configurations and checkpoints, https://github.com/jik876/hifi-gan (MIT).
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL

SLOPE = 0.1
LAST_SLOPE = 0.01  # before conv_post the official code keeps PyTorch's default


@dataclass(frozen=True)
class Variant:
    """Hyper-parameters of a generator.

    Args:
        channels: of ``conv_pre``; each upsampling halves them.
        upsampling: ``(rate, kernel)`` of each transposed convolution; the rates multiply to the hop.
        paired: residual blocks of kind 1, where a plain convolution follows each dilated one; else kind 2.
        blocks: ``(kernel, dilations)`` of the parallel residual blocks after each upsampling.

    """

    channels: int
    upsampling: tuple[tuple[int, int], ...]
    paired: bool
    blocks: tuple[tuple[int, tuple[int, ...]], ...]


_BY_256 = ((8, 16), (8, 16), (2, 4), (2, 4))
_WIDE = ((3, (1, 3, 5)), (7, (1, 3, 5)), (11, (1, 3, 5)))
VARIANTS = {
    "v1": Variant(512, _BY_256, paired=True, blocks=_WIDE),
    "v2": Variant(128, _BY_256, paired=True, blocks=_WIDE),
    "v3": Variant(256, ((8, 16), (8, 16), (4, 8)), paired=False, blocks=((3, (1, 2)), (5, (2, 6)), (7, (3, 12)))),
}


def same(channels: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    """Make a convolution that keeps its input's shape."""
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)


class FullPrecision(nn.Conv1d):
    """A convolution in the precision of its weights whatever computes around it.

    The last one of a vocoder is such: sound rounded to bfloat16 hisses (multi-resolution STFT loss +0.05).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve outside autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class PairedBlock(nn.Module):
    """Residual block of kind 1, [batch, channels, time] to the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(same(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(same(channels, kernel) for _ in dilations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add each pair of convolutions to what came before."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(functional.leaky_relu(dilated(functional.leaky_relu(x, SLOPE)), SLOPE))
        return x


class SingleBlock(nn.Module):
    """Residual block of kind 2, [batch, channels, time] to the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(same(channels, kernel, dilation) for dilation in dilations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add each convolution to what came before."""
        for conv in self.convs:
            x = x + conv(functional.leaky_relu(x, SLOPE))
        return x


class Generator(nn.Module):
    """Log-mel spectrogram, float32 [batch, bands, frames], to sound, float32 [batch, frames * hop] in -1..1."""

    def __init__(self, variant: Variant, bands: int = MEL.bands) -> None:
        super().__init__()
        block = PairedBlock if variant.paired else SingleBlock
        channels = variant.channels
        self.conv_pre = nn.Conv1d(bands, channels, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in variant.upsampling:
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2))
            channels //= 2
            self.resblocks.extend(block(channels, *shape) for shape in variant.blocks)
        self.conv_post = FullPrecision(channels, 1, 7, padding=3)
        self._parallel = len(variant.blocks)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Upsample in turn, each time averaging the parallel residual blocks."""
        x = self.conv_pre(mel)
        for i, upsample in enumerate(self.ups):
            x = upsample(functional.leaky_relu(x, SLOPE))
            blocks = self.resblocks[i * self._parallel : (i + 1) * self._parallel]
            x = sum(block(x) for block in blocks) / self._parallel
        return torch.tanh(self.conv_post(functional.leaky_relu(x, LAST_SLOPE))).squeeze(1)
