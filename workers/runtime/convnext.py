"""ConvNeXt blocks over time, plain or modulated by a vector.

Liu et al. 2022, arXiv 2201.03545, in the one-dimensional form of Siuzdak 2023 (Vocos, arXiv 2306.00814).
"""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Depthwise convolution, norm, expansion and projection, added to what came in.

    ReLU stands where the papers have GELU, which takes a quarter of a training step on a CPU.

    Args:
        channels: in and out.
        kernel: frames that the convolution sees, odd.
        expansion: hidden channels are so many times ``channels``.
        condition: size of a vector that shifts and scales the norm and gates the sum
            (AdaLN, Peebles and Xie 2022, arXiv 2212.09748); 0: there is none.

    """

    def __init__(self, channels: int, kernel: int, expansion: int, condition: int = 0) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.project = nn.Linear(expansion * channels, channels)
        self.gate = nn.Parameter(torch.full((channels,), 0.1))
        self.modulate = nn.Linear(condition, 3 * channels) if condition else None
        if self.modulate is not None:  # a block begins as though nothing modulated it
            nn.init.zeros_(self.modulate.weight)
            nn.init.zeros_(self.modulate.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        """Turn [batch, channels, frames] into the same; the condition is [batch, size]."""
        y = self.norm(self.depthwise(x).transpose(1, 2))
        gate = self.gate
        if self.modulate is not None:
            scale, shift, more = self.modulate(condition)[:, None].chunk(3, dim=-1)
            y, gate = y * (1 + scale) + shift, gate * (1 + more)
        y = self.project(functional.relu(self.expand(y)))
        return x + (gate * y).transpose(1, 2)
