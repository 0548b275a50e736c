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
from voxrelay.workers.mel.attention import TOLD
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
        """Take over exported weights; what they do not know of is told, and not listened to at first.

        Where their sub-bands are broader, each part of one is listened to as the whole was.

        Raises:
            BadConfigError: the file holds none, or a network of another shape.

        """
        shape = self.config.shape
        network, _ = networks.read(path, networks.name(shape))
        tensors, before = network.state_dict(), network.shape
        if isinstance(before, Shape) and isinstance(shape, Shape) and _widens(before, shape):
            tensors["enter.weight"] = _widened(tensors["enter.weight"], before, shape)
            if not before.attention:
                tensors |= self._looks()
            before = replace(before, subbands=shape.subbands, attention=shape.attention)
        if before != shape:
            raise BadConfigError(f"a network of {before}", where=str(path), hint=f"wanted: {shape}")
        self.generator.load_state_dict(tensors)
        self.average.load_state_dict(tensors)

    def _looks(self) -> dict[str, torch.Tensor]:
        """Return what the untrained network looks up by."""
        return {name: value for name, value in self.generator.state_dict().items() if name.startswith("attention.")}


def _widens(before: Shape, now: Shape) -> bool:
    """Say whether sub-bands are the same or whole parts of those before, and attention the same or new."""
    count = before.subbands
    finer = now.subbands > count and now.subbands % (count or 1) == 0
    return (finer or now.subbands == count) and before.attention in (0, now.attention)


def _widened(weight: torch.Tensor, before: Shape, now: Shape) -> torch.Tensor:
    """Make room in the first convolution, [out, in, kernel], whose last channels are sub-bands and what was looked up.

    Sub-bands share what theirs was listened to; where there was none of a kind, nothing is listened to.
    """
    told = before.subbands, before.attention * TOLD
    kept, parts, found = weight.split((weight.shape[1] - sum(told), *told), dim=1)
    if before.subbands:
        times = now.subbands // before.subbands
        parts = parts.repeat_interleave(times, dim=1) / times
    parts = functional.pad(parts, (0, 0, 0, now.subbands - parts.shape[1]))
    found = functional.pad(found, (0, 0, 0, now.attention * TOLD - found.shape[1]))
    return torch.cat([kept, parts, found], dim=1)
