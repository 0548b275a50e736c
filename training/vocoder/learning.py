"""One step of learning: what is computed, and which network moves."""

from dataclasses import asdict

import torch
from torch.nn import functional

from voxrelay.training import losses, phases
from voxrelay.training.run import Figures
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.vocoder.config import VocoderPhase
from voxrelay.training.vocoder.state import VocoderState


class Learner:
    """Takes steps on a :class:`VocoderState`."""

    def __init__(self, state: VocoderState) -> None:
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
        phase, begin = phases.at(self.state.config.phases, self.state.step)
        rate = phase.rate_at(self.state.step - begin)
        true, mel = sound[:, MARGIN:-MARGIN], self.mel.inner(sound)
        with torch.set_grad_enabled(phase.generates), self.state.autocast():
            made = self.state.generator(mel).float()
        figures: Figures = {}
        if phase.discriminate:
            figures |= self._discriminate(true, made.detach(), rate)
        if phase.generates:
            figures |= self._generate(true, made, phase, rate)
            self.state.follow(self.state.average, self.state.generator)
        self.state.step += 1
        return figures

    def _discriminate(self, true: torch.Tensor, made: torch.Tensor, rate: float) -> Figures:
        with self.state.autocast():
            real, _ = self.state.discriminators(true)
            fake, _ = self.state.discriminators(made)
        loss = losses.discrimination(real, fake)
        state = self.state
        norm = state.move(state.discriminators, state.discriminator_optimiser, loss, rate, state.config.clip)
        return {"discrimination": loss.detach(), "discriminator_gradient": norm}

    def _generate(self, true: torch.Tensor, made: torch.Tensor, phase: VocoderPhase, rate: float) -> Figures:
        parts = {"mel": functional.l1_loss(self.mel(made), self.mel(true)), "stft": self.stft(made, true)}
        if phase.judged:
            parts |= self._judgement(true, made)
        weights = asdict(phase.weights)
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        state = self.state
        norm = state.move(state.generator, state.generator_optimiser, loss, rate, state.config.clip)
        return {**{name: part.detach() for name, part in parts.items()}, "gradient": norm}

    def _judgement(self, true: torch.Tensor, made: torch.Tensor) -> Figures:
        self.state.discriminators.requires_grad_(False)  # noqa: FBT003 - torch's signature
        with self.state.autocast():
            scores, features = self.state.discriminators(made)
            with torch.no_grad():
                _, wanted = self.state.discriminators(true)
        self.state.discriminators.requires_grad_(True)  # noqa: FBT003 - torch's signature
        return {"feature": losses.feature_matching(wanted, features), "adversarial": losses.deception(scores)}
