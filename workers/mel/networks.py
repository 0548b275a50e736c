"""The networks that acoustic models may have, by name, and the files that hold them."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import MEL
from voxrelay.workers.mel import bottleneck, modulated
from voxrelay.workers.mel.bottleneck import Bottleneck
from voxrelay.workers.mel.modulated import VOICE, Modulated
from voxrelay.workers.runtime.weights import load_safetensors

__all__ = ["VOICE", "Network", "Shape", "beyond", "build", "facts", "read", "to_mel_frames"]

Network = Modulated | Bottleneck
Shape = modulated.Shape | bottleneck.Shape
_SHAPES: dict[str, type[Shape]] = {"gr0": modulated.Shape, "autovc-f0": bottleneck.Shape}


def build(shape: Shape) -> Network:
    """Build the network of a shape, with random weights."""
    return Modulated(shape) if isinstance(shape, modulated.Shape) else Bottleneck(shape)


def name(shape: Shape) -> str:
    """Return the name of the model whose shape it is."""
    return next(name for name, kind in _SHAPES.items() if isinstance(shape, kind))


def facts(shape: Shape, content: str) -> dict[str, str | int]:
    """Return what a file says of a network that was trained on ``content``."""
    return {"model": name(shape), "content": content, **asdict(shape)}


def read(path: Path, model: str, sha256: str = "") -> tuple[Network, str]:
    """Read exported weights in float32; gives the network and the name of the content model it was trained on.

    Raises:
        BadConfigError: the file holds no network of that model.

    """
    tensors, found = load_safetensors(path, sha256=sha256)
    kind = _SHAPES[model]
    try:
        if found["model"] != model:
            raise BadConfigError(f"a network of {found['model']}", where=str(path), hint=f"wanted: {model}")
        network = build(kind(**{name: int(found[name]) for name in asdict(kind()) if name in found}))
        network.load_state_dict(tensors)
        return network, found["content"]
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadConfigError(f"no network of {model}", where=str(path)) from error


def beyond(voices: torch.Tensor, left: torch.Tensor, times: float) -> torch.Tensor:
    """Move voices on, away from those that are left, by so many times what lies between the two.

    A network says less of a voice than it is told, and keeps some of the source's; guidance, as Ho and Salimans have it
    for diffusion (arXiv 2207.12598), by what it is told instead of what it makes. All are unit vectors, [batch, 256],
    and Resemblyzer's have no negative numbers.
    """
    if not times:
        return voices
    return functional.normalize((voices + times * (voices - left)).clamp(min=0), dim=-1)


def to_mel_frames(rows: torch.Tensor) -> torch.Tensor:
    """Read rows at 50 frames/s at the centres of the mel frames that cover them: linear by time.

    [batch, frames, width] to [batch, ``clock.mel_frames(frames)``, width].
    """
    frames = rows.shape[1]
    centres = torch.arange(clock.mel_frames(frames), device=rows.device) + 0.5
    position = (centres * (MEL.hop / clock.SOUND_PER_HOP) - 0.5).clamp(0, frames - 1)
    before = position.long()
    after = (before + 1).clamp(max=frames - 1)
    share = (position - before)[:, None].to(rows.dtype)
    return rows[:, before] * (1 - share) + rows[:, after] * share
