"""The GPUs of this machine, dealt among its worker processes without asking any library of theirs."""

import os
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "CUDA_VISIBLE_DEVICES"


def seen(devices: Path = Path("/dev")) -> list[str]:
    """Return the GPUs that a process started now would see, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return [str(number) for number, _ in enumerate(devices.glob("nvidia[0-9]*"))]


def deal(gpus: Sequence[str], mine: Sequence[str], everybody: Sequence[str]) -> str:
    """Return the GPU for one more worker of a pool.

    Args:
        gpus: those that there are.
        mine: what the other workers of the pool have.
        everybody: what all workers of this machine have.

    Returns:
        The one that the fewest of the pool have, and of such the one that the fewest of all have; empty if
        there is none.

    """
    return min(gpus, key=lambda gpu: (mine.count(gpu), everybody.count(gpu)), default="")
