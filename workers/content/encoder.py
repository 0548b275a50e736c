"""The network of contentvec-lite."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.content.bands import BANDS
from voxrelay.workers.runtime.convnext import Block
from voxrelay.workers.runtime.weights import load_safetensors

NAME = "contentvec-lite"


@dataclass(frozen=True)
class Shape:
    """Sizes of an encoder: ``features`` come out, ``channels`` pass through ``blocks`` of ``kernel`` frames."""

    features: int = 96
    channels: int = 256
    blocks: int = 8
    kernel: int = 7
    expansion: int = 4


class Encoder(nn.Module):
    """Log mel bands to content.

    Bands are normalised by constants that belong to the weights, never by what is heard: a window
    then gives what the whole recording would give there. Every frame comes out with mean 0 and
    variance 1 over its features.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("spread", torch.ones(BANDS))
        self.stem = nn.Conv1d(BANDS, shape.channels, 6, stride=2, padding=2)
        self.blocks = nn.ModuleList(Block(shape.channels, shape.kernel, shape.expansion) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(shape.channels)
        self.neck = nn.Linear(shape.channels, shape.features)
        self.out = nn.LayerNorm(shape.features, elementwise_affine=False)

    def normal(self, bands: torch.Tensor) -> torch.Tensor:
        """Normalise log bands, [..., 80]."""
        return (bands - self.mean) / self.spread

    def forward(self, bands: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Encode.

        Args:
            bands: log mel bands, float32 [batch, 2 * frames, 80].
            mask: [batch, frames], 0 behind the end of the shorter ones; None: all are of one length.

        Returns:
            float [batch, frames, features].

        """
        wide = None if mask is None else mask.repeat_interleave(2, dim=1)[:, :, None]
        normal = self.normal(bands)
        x = self.stem((normal if wide is None else normal * wide).transpose(1, 2))
        for block in self.blocks:
            # What lies behind an end is silent, as it is where there is nothing more.
            x = block(x if mask is None else x * mask[:, None])
        return self.out(self.neck(self.norm(x.transpose(1, 2))))


def read(path: Path, wanted: Shape | None = None, sha256: str = "") -> Encoder:
    """Read an encoder in float32; its shape stands in the file.

    Raises:
        BadConfigError: no such encoder, or one of another shape than is ``wanted``.

    """
    tensors, facts = load_safetensors(path, sha256=sha256)
    try:
        shape = Shape(**{name: int(facts[name]) for name in asdict(Shape())})
        encoder = Encoder(shape)
        encoder.load_state_dict(tensors)
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadConfigError(f"no encoder of {NAME}", where=str(path)) from error
    if wanted not in (None, shape):
        raise BadConfigError(f"an encoder of {shape}", where=str(path), hint=f"wanted: {wanted}")
    return encoder
