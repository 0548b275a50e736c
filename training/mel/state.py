"""What training an acoustic model changes."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.errors import BadConfigError
from voxrelay.training.mel.config import MelConfig
from voxrelay.training.mel.discriminators import Discriminators
from voxrelay.training.state import State
from voxrelay.workers.mel import networks
from voxrelay.workers.mel.modulated import Shape


class MelState(State):
    """Generator, its moving average, discriminators and the optimisers of both."""

    PARTS: ClassVar[tuple[str, ...]] = (
        "generator", "average", "discriminators", "generator_optimiser", "discriminator_optimiser",
    )  # fmt: skip

    def __init__(self, config: MelConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.generator = networks.build(config.shape).to(device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()  # noqa: FBT003 - torch's signature
        self.discriminators = Discriminators(config.discriminator_channels).to(device)
        self.generator_optimiser = self._optimiser(self.generator)
        self.discriminator_optimiser = self._optimiser(self.discriminators)

    def _optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), betas=self.config.betas, weight_decay=self.config.decay)

    def start_from(self, path: Path) -> None:
        """Take over exported weights; sub-bands that they do not know of are told, and not listened to at first.

        Where theirs are broader, each part of one is listened to as the whole was.

        Raises:
            BadConfigError: the file holds none, or a network of another shape.

        """
        shape = self.config.shape
        network, _ = networks.read(path, networks.name(shape))
        tensors, before = network.state_dict(), network.shape
        if isinstance(shape, Shape) and isinstance(before, Shape):
            count = before.subbands
            finer = shape.subbands > count and shape.subbands % (count or 1) == 0
            if finer and before == replace(shape, subbands=count):
                tensors["enter.weight"] = _divided(tensors["enter.weight"], count, shape.subbands)
                before = shape
        if before != shape:
            raise BadConfigError(f"a network of {before}", where=str(path), hint=f"wanted: {shape}")
        self.generator.load_state_dict(tensors)
        self.average.load_state_dict(tensors)


def _divided(weight: torch.Tensor, before: int, now: int) -> torch.Tensor:
    """Divide the last input channels of a convolution, [out, in, kernel], evenly into more; none: add deaf ones."""
    if not before:
        return functional.pad(weight, (0, 0, 0, now))
    kept, parts = weight.split((weight.shape[1] - before, before), dim=1)
    return torch.cat([kept, parts.repeat_interleave(now // before, dim=1) * (before / now)], dim=1)
