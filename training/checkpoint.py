"""Files of a run that must never be half written."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from voxrelay.relay.errors import UnavailableError
from voxrelay.training.once import whole
from voxrelay.workers.runtime.weights import load_torch

LAST = "last.pt"


def save(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values, replacing an older file only by a complete one."""
    with whole(path) as unfinished, unfinished.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> dict[str, Any]:
    """Read what :func:`save` wrote, onto the CPU.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: a damaged file.

    """
    if not path.is_file():
        raise UnavailableError("no checkpoint", where=str(path), hint="start without --resume")
    return load_torch(path)


def write_half(network: Any, facts: Mapping[str, object], path: Path) -> None:  # noqa: ANN401 - a torch module
    """Write a network's weights in float16 as safetensors, with facts in the header."""
    from safetensors.torch import save_file

    weights = {name: tensor.half().contiguous().cpu() for name, tensor in network.state_dict().items()}
    save_file(weights, path, {name: str(fact) for name, fact in facts.items()})
