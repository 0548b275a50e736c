"""The HiFi-GAN generator: transposed convolutions, and residual blocks of several receptive fields.

Kong, Kim, Bae 2020, arXiv 2010.05646. Hyper-parameters and parameter names are those of the published
configurations and checkpoints, https://github.com/jik876/hifi-gan (MIT).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL

SLOPE = 0.1
LAST_SLOPE = 0.01  # before conv_post the official code keeps PyTorch's default
_PIECE = 1 << 20  # numbers, 4 MB: few buffers are larger, however long the window


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

    def reach(self, kernel: int, dilations: tuple[int, ...]) -> int:
        """Return from how many samples to each side a residual block computes one."""
        return (kernel - 1) // 2 * sum(dilation + self.paired for dilation in dilations)


_BY_256 = ((8, 16), (8, 16), (2, 4), (2, 4))
_WIDE = ((3, (1, 3, 5)), (7, (1, 3, 5)), (11, (1, 3, 5)))
VARIANTS = {
    "v1": Variant(512, _BY_256, paired=True, blocks=_WIDE),
    "v2": Variant(128, _BY_256, paired=True, blocks=_WIDE),
    "v3": Variant(256, ((8, 16), (8, 16), (4, 8)), paired=False, blocks=((3, (1, 2)), (5, (2, 6)), (7, (3, 12)))),
}


class Convolution(nn.Conv1d):
    """A one-dimensional convolution of [batch, channels, 1, time] to the same length.

    Time is a row of an image, for images may lie in memory with their channels last: on a CPU the convolutions of few
    channels and many samples, which are most of a vocoder, take half as long then.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve."""
        [dilation], [kernel] = self.dilation, self.kernel_size
        padding = (0, dilation * (kernel - 1) // 2)
        return functional.conv2d(x, self.weight.unsqueeze(2), self.bias, 1, padding, (1, dilation))


class FullPrecision(Convolution):
    """A convolution in the precision of its weights whatever computes around it.

    The last one of a vocoder is such: sound rounded to bfloat16 hisses (multi-resolution STFT loss +0.05).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve outside autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class Upsampling(nn.ConvTranspose1d):
    """A one-dimensional transposed convolution of [batch, channels, 1, time]."""

    def forward(self, x: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:  # noqa: ARG002 - inherited
        """Convolve."""
        stride, padding = (1, self.stride[0]), (0, int(self.padding[0]))
        return functional.conv_transpose2d(x, self.weight.unsqueeze(2), self.bias, stride, padding)


class PairedBlock(nn.Module):
    """Residual block of kind 1, [batch, channels, 1, time] to the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            Convolution(channels, channels, kernel, dilation=dilation) for dilation in dilations
        )
        self.convs2 = nn.ModuleList(Convolution(channels, channels, kernel) for _ in dilations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add each pair of convolutions to what came before."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = plain(functional.leaky_relu(dilated(functional.leaky_relu(x, SLOPE)), SLOPE)).add_(x)
        return x


class SingleBlock(nn.Module):
    """Residual block of kind 2, [batch, channels, 1, time] to the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Convolution(channels, channels, kernel, dilation=dilation) for dilation in dilations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add each convolution to what came before."""
        for conv in self.convs:
            x = conv(functional.leaky_relu(x, SLOPE)).add_(x)
        return x


class Generator(nn.Module):
    """Log-mel spectrogram, float32 [batch, bands, frames], to sound, float32 [batch, frames * hop] in -1..1."""

    def __init__(self, variant: Variant, bands: int = MEL.bands) -> None:
        super().__init__()
        block = PairedBlock if variant.paired else SingleBlock
        channels = variant.channels
        self.conv_pre = Convolution(bands, channels, 7)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in variant.upsampling:
            self.ups.append(Upsampling(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2))
            channels //= 2
            self.resblocks.extend(block(channels, *shape) for shape in variant.blocks)
        self.conv_post = FullPrecision(channels, 1, 7)
        self._parallel = len(variant.blocks)
        # Samples to each side from which a stage computes one, its upsampling aside; the last one ends in conv_post.
        self._reach = max(variant.reach(*blocks) for blocks in variant.blocks) + self.conv_post.kernel_size[0] // 2

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Generate."""
        return self.in_pieces(mel) if mel.device.type == "cpu" else self.whole(mel)

    def whole(self, mel: torch.Tensor) -> torch.Tensor:
        """Upsample in turn."""
        x = self.conv_pre(mel.unsqueeze(2))
        for i in range(len(self.ups)):
            x = self._upsampled(i, x)
        return x.flatten(1)

    def in_pieces(self, mel: torch.Tensor) -> torch.Tensor:
        """Do the same with channels last, and in pieces: faster on a CPU, in less memory."""
        x = self.conv_pre(mel.unsqueeze(2).to(memory_format=torch.channels_last))
        for i in range(len(self.ups)):
            x = torch.cat(list(self._pieces(i, x)), dim=3)
        return x.flatten(1)

    def _upsampled(self, i: int, x: torch.Tensor) -> torch.Tensor:
        """Upsample once and average the parallel residual blocks; the last time this is sound."""
        x = self.ups[i](functional.leaky_relu(x, SLOPE))
        blocks = self.resblocks[i * self._parallel : (i + 1) * self._parallel]
        x = sum(block(x) for block in blocks) / self._parallel
        if i + 1 < len(self.ups):
            return x
        return torch.tanh(self.conv_post(functional.leaky_relu(x, LAST_SLOPE)))

    def _pieces(self, i: int, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Upsample pieces that know as much of their neighbours as what is heard of them depends on."""
        up = self.ups[i]
        rate = up.stride[0]
        piece = max(_PIECE // (len(x) * up.out_channels * rate), 1)
        margin = -(-(self._reach + up.kernel_size[0]) // rate)
        for begin in range(0, x.shape[3], piece):
            first = max(begin - margin, 0)
            found = self._upsampled(i, x[..., first : begin + piece + margin])
            yield found[..., (begin - first) * rate : (begin - first + piece) * rate]
