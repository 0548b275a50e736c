"""What training a vocoder changes."""

import copy
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from voxrelay.relay.errors import BadConfigError
from voxrelay.training.state import State
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.training.vocoder.discriminators import Discriminators
from voxrelay.workers.runtime.weights import load_torch
from voxrelay.workers.vocoder.generator import VARIANTS, Generator
from voxrelay.workers.vocoder.published import fold_weight_norm


class VocoderState(State):
    """Generator, its moving average, discriminators and the optimisers of both."""

    PARTS: ClassVar[tuple[str, ...]] = (
        "generator", "average", "discriminators", "generator_optimiser", "discriminator_optimiser",
    )  # fmt: skip

    def __init__(self, config: VocoderConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.generator = Generator(VARIANTS[config.variant]).to(device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)  # noqa: FBT003 - torch's signature
        self.discriminators = Discriminators(
            config.periods, config.period_channels, config.resolutions, config.resolution_channels
        ).to(device)
        self.generator_optimiser = self._optimiser(self.generator)
        self.discriminator_optimiser = self._optimiser(self.discriminators)

    def _optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), betas=self.config.betas, weight_decay=self.config.decay)

    def start_from(self, path: Path) -> None:
        """Take the generator's weights from a published or own file, ``{'generator': state_dict}``.

        Raises:
            BadConfigError: the file holds no generator of this variant.

        """
        try:
            weights = fold_weight_norm(load_torch(path)["generator"])
            self.generator.load_state_dict(weights)
        except (KeyError, RuntimeError, AttributeError) as error:
            raise BadConfigError(f"no generator of variant {self.config.variant!r}", where=str(path)) from error
        self.average.load_state_dict(weights)
