"""One step of learning to speak: what is computed, and which network moves."""

from dataclasses import asdict

import torch
from torch.nn import functional

from voxrelay.training import losses, phases
from voxrelay.training.mel.batches import Told
from voxrelay.training.mel.config import MelPhase
from voxrelay.training.mel.state import MelState

Figures = dict[str, torch.Tensor]


class Learner:
    """Takes steps on a :class:`MelState`."""

    def __init__(self, state: MelState) -> None:
        self.state, self.config = state, state.config

    def learn(self, told: Told) -> Figures:
        """Take one step; gives the losses before it, unweighted, and the norms of the gradients; scalars."""
        state = self.state
        phase, begin = phases.at(self.config.phases, state.step)
        rate = phase.rate_at(state.step - begin)
        with torch.set_grad_enabled(phase.generates), state.autocast():
            made = state.generator(told.content, told.prosody, told.voice, told.register).float()
        figures: Figures = {}
        if phase.discriminate:
            figures |= self._discriminate(told.mel, made.detach(), rate)
        if phase.generates:
            figures |= self._generate(told.mel, made, phase, rate)
        state.step += 1
        if phase.generates:
            state.follow(state.average, state.generator)
        return figures

    def _discriminate(self, true: torch.Tensor, made: torch.Tensor, rate: float) -> Figures:
        state = self.state
        with state.autocast():
            real, _ = state.discriminators(true)
            fake, _ = state.discriminators(made)
        loss = losses.discrimination(real, fake)
        norm = state.move(state.discriminators, state.discriminator_optimiser, loss, rate, self.config.clip)
        return {"discrimination": loss.detach(), "discriminator_gradient": norm}

    def _generate(self, true: torch.Tensor, made: torch.Tensor, phase: MelPhase, rate: float) -> Figures:
        state = self.state
        parts = {"mel": distance(made, true)}
        if phase.judged:
            parts |= self._judgement(true, made)
        weights = asdict(phase.weights)
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        norm = state.move(state.generator, state.generator_optimiser, loss, rate, self.config.clip)
        return {**{name: part.detach() for name, part in parts.items()}, "gradient": norm}

    def _judgement(self, true: torch.Tensor, made: torch.Tensor) -> Figures:
        judges = self.state.discriminators
        judges.requires_grad_(False)  # noqa: FBT003 - torch's signature
        with self.state.autocast():
            scores, features = judges(made)
            with torch.no_grad():
                _, wanted = judges(true)
        judges.requires_grad_(True)  # noqa: FBT003 - torch's signature
        return {"feature": losses.feature_matching(wanted, features), "adversarial": losses.deception(scores)}


def distance(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """L1 of log-mel spectrograms and of their differences in time and over bands."""
    parts = [functional.l1_loss(made, true)]
    parts += [functional.l1_loss(made.diff(dim=axis), true.diff(dim=axis)) for axis in (1, 2)]
    return torch.stack(parts).sum()
