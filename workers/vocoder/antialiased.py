"""The BigVGAN generator: periodic activations between low-pass filters, so that their harmonics do not alias.

Lee, Ping, Ginsburg, Catanzaro, Yoon 2023, arXiv 2206.04658, after Karras et al. 2021 (StyleGAN3, arXiv 2106.12423).
Hyper-parameters and parameter names are those of the published configurations and checkpoints,
https://github.com/NVIDIA/BigVGAN (MIT).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL
from voxrelay.workers.vocoder.generator import FullPrecision, Variant

_TAPS = 12
_CUTOFF, _TRANSITION = 0.25, 0.3  # of the doubled rate: half its band, and the half-width where the filter falls
_TINY = 1e-9


@dataclass(frozen=True)
class Activation:
    """Kind of the periodic activations.

    Args:
        beta: SnakeBeta, with a magnitude of its own; else Snake (Ziyin, Hartwig, Ueda 2020, arXiv 2006.08195).
        logarithmic: parameters are natural logarithms.

    """

    beta: bool
    logarithmic: bool


class Snake(nn.Module):
    """x + sin^2(alpha x) / beta for every channel of [batch, channels, time]; Snake's beta is its alpha."""

    def __init__(self, channels: int, kind: Activation) -> None:
        super().__init__()
        start = torch.zeros(channels) if kind.logarithmic else torch.ones(channels)
        self.alpha = nn.Parameter(start)
        self.beta = nn.Parameter(start.clone()) if kind.beta else None
        self._logarithmic = kind.logarithmic

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Activate."""
        alpha, beta = self.alpha, self.alpha if self.beta is None else self.beta
        if self._logarithmic:
            alpha, beta = alpha.exp(), beta.exp()
        return x + torch.sin(alpha[:, None] * x).square() / (beta[:, None] + _TINY)


class Upsampling(nn.Module):
    """Double the rate: zeros between samples, then a low-pass filter; the ends are repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", low_pass()[None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn [batch, channels, time] into [batch, channels, 2 * time]."""
        channels, edge = x.shape[1], _TAPS // 2 - 1
        x = functional.pad(x, (edge, edge), mode="replicate")
        x = 2 * functional.conv_transpose1d(x, self.filter.expand(channels, -1, -1), stride=2, groups=channels)
        cut = 2 * edge + _TAPS // 2 - 1
        return x[..., cut:-cut]


class LowPass(nn.Module):
    """Halve the rate behind a low-pass filter; the ends are repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", low_pass()[None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn [batch, channels, 2 * time] into [batch, channels, time]."""
        channels = x.shape[1]
        x = functional.pad(x, (_TAPS // 2 - 1, _TAPS // 2), mode="replicate")
        return functional.conv1d(x, self.filter.expand(channels, -1, -1), stride=2, groups=channels)


class Antialiased(nn.Module):
    """A periodic activation at twice the rate, [batch, channels, time] to the same.

    It keeps the precision of its parameters whatever computes around it: a sine's argument must not be rounded, and
    CPUs filter single channels in bfloat16 many times slower.
    """

    def __init__(self, channels: int, kind: Activation) -> None:
        super().__init__()
        self.act, self.upsample = Snake(channels, kind), Upsampling()
        self.downsample = nn.ModuleDict({"lowpass": LowPass()})  # so that its name is the official one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Up, activate, down."""
        with torch.autocast(x.device.type, enabled=False):
            return self.downsample["lowpass"](self.act(self.upsample(x.to(self.act.alpha.dtype))))


def same(channels: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    """Make a convolution that keeps its input's shape."""
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)


class PairedBlock(nn.Module):
    """Residual block of kind 1, [batch, channels, time] to the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], kind: Activation) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(same(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(same(channels, kernel) for _ in dilations)
        self.activations = nn.ModuleList(Antialiased(channels, kind) for _ in 2 * dilations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add each pair of activated convolutions to what came before."""
        before, between = self.activations[::2], self.activations[1::2]
        for dilated, plain, first, second in zip(self.convs1, self.convs2, before, between, strict=True):
            x = x + plain(second(dilated(first(x))))
        return x


class SingleBlock(nn.Module):
    """Residual block of kind 2, [batch, channels, time] to the same."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], kind: Activation) -> None:
        super().__init__()
        self.convs = nn.ModuleList(same(channels, kernel, dilation) for dilation in dilations)
        self.activations = nn.ModuleList(Antialiased(channels, kind) for _ in dilations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add each activated convolution to what came before."""
        for conv, activation in zip(self.convs, self.activations, strict=True):
            x = x + conv(activation(x))
        return x


class BigVgan(nn.Module):
    """Log-mel spectrogram, float [batch, bands, frames], to sound, float [batch, frames * hop] in -1..1.

    Args:
        variant: hyper-parameters that it shares with HiFi-GAN.
        kind: of its activations.
        tanh: the last step is a tanh; else sound is cut off at -1 and 1.
        bias: the last convolution has one.
        bands: of the mel.

    """

    def __init__(
        self, variant: Variant, kind: Activation, *, tanh: bool = True, bias: bool = True, bands: int = MEL.bands
    ) -> None:
        super().__init__()
        block = PairedBlock if variant.paired else SingleBlock
        channels = variant.channels
        self.conv_pre = nn.Conv1d(bands, channels, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in variant.upsampling:
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([up]))  # so that its name is the official one
            channels //= 2
            self.resblocks.extend(block(channels, *shape, kind) for shape in variant.blocks)
        self.activation_post = Antialiased(channels, kind)
        self.conv_post = FullPrecision(channels, 1, 7, bias=bias)
        self._parallel, self._tanh = len(variant.blocks), tanh

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Upsample in turn, each time averaging the parallel residual blocks."""
        x = self.conv_pre(mel)
        for i, (upsample,) in enumerate(self.ups):
            x = upsample(x)
            blocks = self.resblocks[i * self._parallel : (i + 1) * self._parallel]
            x = sum(block(x) for block in blocks) / self._parallel
        sound = self.conv_post(self.activation_post(x).unsqueeze(2)).flatten(1)
        return torch.tanh(sound) if self._tanh else sound.clamp(-1, 1)


def low_pass() -> torch.Tensor:
    """Design the filter of both directions, float32 [12]: a sinc in a Kaiser window, its sum 1.

    The window's shape follows from the attenuation (51 dB) that Kaiser's formula gives for half the length and
    the transition (Kaiser 1974, "Nonrecursive digital filter design using the I0-sinh window function").
    """
    attenuation = 2.285 * (_TAPS // 2 - 1) * math.pi * 4 * _TRANSITION + 7.95
    beta = 0.1102 * (attenuation - 8.7)
    taps = np.kaiser(_TAPS, beta) * np.sinc(2 * _CUTOFF * (np.arange(_TAPS) - (_TAPS - 1) / 2))
    return torch.from_numpy(taps / taps.sum()).float()
