"""One step of learning: what is computed, and which network moves."""

import math
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.errors import VoxError
from voxrelay.training import losses
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.vocoder.config import Phase
from voxrelay.training.vocoder.state import State

Figures = dict[str, torch.Tensor]


class TrainingError(VoxError):
    """Training that went astray."""


def rate_at(phase: Phase, step: int) -> float:
    """Return the learning rate at a step of a phase: a linear rise, then half a cosine."""
    rise = min(1.0, (step + 1) / max(phase.warmup, 1))
    fall = phase.final + (1 - phase.final) * 0.5 * (1 + math.cos(math.pi * min(step / phase.steps, 1.0)))
    return phase.learning_rate * rise * fall


class Learner:
    """Takes steps on a :class:`State`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.mel = LogMel().to(state.device)
        self.stft = losses.MultiResolution().to(state.device)

    def learn(self, sound: torch.Tensor) -> Figures:
        """Take one step.

        Args:
            sound: float32 [batch, crop + 768] at 22.05 kHz: crops with the context that their mel needs.

        Returns:
            The losses before the step, unweighted, and the norms of the gradients; scalars.

        """
        phase, begin = self.state.config.phase_at(self.state.step)
        rate = rate_at(phase, self.state.step - begin)
        true, mel = sound[:, MARGIN:-MARGIN], self.mel.inner(sound)
        with torch.set_grad_enabled(phase.generates), self._networks():
            made = self.state.generator(mel).float()
        figures: Figures = {}
        if phase.discriminate:
            figures |= self._discriminate(true, made.detach(), rate)
        if phase.generates:
            figures |= self._generate(true, made, phase, rate)
            self.state.follow()
        self.state.step += 1
        return figures

    def _networks(self) -> Any:  # noqa: ANN401 - torch is not there to be checked
        """Networks compute in bfloat16 where the configuration says so."""
        return torch.autocast(self.state.device.type, torch.bfloat16, enabled=self.state.config.bf16)

    def _discriminate(self, true: torch.Tensor, made: torch.Tensor, rate: float) -> Figures:
        with self._networks():
            real, _ = self.state.discriminators(true)
            fake, _ = self.state.discriminators(made)
        loss = losses.discrimination(real, fake)
        norm = self._move(self.state.discriminators, self.state.discriminator_optimiser, loss, rate)
        return {"discrimination": loss.detach(), "discriminator_gradient": norm}

    def _generate(self, true: torch.Tensor, made: torch.Tensor, phase: Phase, rate: float) -> Figures:
        parts = {"mel": functional.l1_loss(self.mel(made), self.mel(true)), "stft": self.stft(made, true)}
        if phase.judged:
            parts |= self._judgement(true, made)
        weights = asdict(phase.weights)
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        norm = self._move(self.state.generator, self.state.generator_optimiser, loss, rate)
        return {**{name: part.detach() for name, part in parts.items()}, "gradient": norm}

    def _judgement(self, true: torch.Tensor, made: torch.Tensor) -> Figures:
        self.state.discriminators.requires_grad_(False)  # noqa: FBT003 - torch's signature
        with self._networks():
            scores, features = self.state.discriminators(made)
            with torch.no_grad():
                _, wanted = self.state.discriminators(true)
        self.state.discriminators.requires_grad_(True)  # noqa: FBT003 - torch's signature
        return {"feature": losses.feature_matching(wanted, features), "adversarial": losses.deception(scores)}

    def _move(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, loss: torch.Tensor, rate: float
    ) -> torch.Tensor:
        """Step down a loss.

        Raises:
            TrainingError: the gradient is not finite; the weights are as they were.

        """
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.state.config.clip)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"a gradient of norm {norm.item()} at step {self.state.step}",
                hint="resume with a smaller learning rate",
            )
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        return norm
