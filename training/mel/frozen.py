"""Networks that learn from a cache's recordings before a run does, and that no run changes."""

import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from voxrelay.training.once import once, whole

_RATE, _WARMUP, _DECAY = 2e-3, 50, 0.01
_SAY_EVERY = 200  # steps
_SEED = 3
_log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)


def frozen(
    make: Callable[[], Network], path: Path, steps: int, losses: Callable[[Network], Iterator[torch.Tensor]]
) -> Network:
    """Let a network learn once, which takes minutes; from then on a file says what it has learnt.

    Args:
        make: makes it; its first weights are always the same.
        path: the file.
        steps: their number.
        losses: gives the loss of each step, of the network as it then is.

    Returns:
        it, with nothing to learn, and in evaluation.

    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = make()
    with once(path) as missing:
        if missing:
            _learn(network, path.stem, steps, losses(network))
            with whole(path) as unfinished:
                save_file(network.state_dict(), unfinished)
        else:
            network.load_state_dict(load_file(path))
    network.eval()
    network.requires_grad_(False)  # noqa: FBT003 - torch's signature
    return network


def _learn(network: nn.Module, name: str, steps: int, losses: Iterator[torch.Tensor]) -> None:
    _log.info("%s learns first, for some minutes", name)
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / _WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
        loss = next(losses)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % _SAY_EVERY == _SAY_EVERY - 1:
            _log.info("%s: %d of %d steps, loss %.2f", name, step + 1, steps, float(loss.detach()))
