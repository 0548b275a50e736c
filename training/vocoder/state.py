"""All that training changes, and its way into a checkpoint and back."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from voxrelay.relay.errors import BadConfigError
from voxrelay.training.config import plain
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.training.vocoder.discriminators import Discriminators
from voxrelay.workers.runtime.weights import load_torch
from voxrelay.workers.vocoder.generator import VARIANTS, Generator, fold_weight_norm

_PARTS = ("generator", "average", "discriminators", "generator_optimiser", "discriminator_optimiser")


class FullPrecision(nn.Conv1d):
    """A convolution in float32 whatever computes around it.

    The generator's last one is such: sound rounded to bfloat16 hisses (multi-resolution STFT loss +0.05).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve outside autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class State:
    """Networks, the generator's moving average, optimisers and the number of steps done."""

    def __init__(self, config: VocoderConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.step = config, device, 0
        self.generator = Generator(VARIANTS[config.variant])
        last = self.generator.conv_post
        self.generator.conv_post = FullPrecision(last.in_channels, 1, last.kernel_size, padding=last.padding)
        self.generator.to(device)
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

    def follow(self) -> None:
        """Move the average towards the generator (Yazici et al. 2018, arXiv 1806.04498), faster in the first steps."""
        past = min(self.config.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for average, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                average.lerp_(current, 1 - past)

    def to_dict(self) -> dict[str, Any]:
        """Return tensors and plain values only."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        return {**parts, "step": self.step, "config": plain(self.config)}

    def from_dict(self, values: dict[str, Any]) -> None:
        """Take over what :meth:`to_dict` gave.

        Raises:
            BadConfigError: it belongs to networks of other shapes.

        """
        try:
            for name in _PARTS:
                getattr(self, name).load_state_dict(values[name])
            self.step = int(values["step"])
        except (KeyError, RuntimeError, ValueError) as error:
            hint = "variant, periods and channels must stay what they were"
            raise BadConfigError(f"a checkpoint of another configuration ({error})", hint=hint) from error
