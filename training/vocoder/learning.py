"""One step of learning: what is computed, and which network moves."""

from dataclasses import asdict, dataclass

import torch
from torch.nn import functional

from voxrelay.relay.tensors import MEL
from voxrelay.training import losses, phases
from voxrelay.training.run import Figures
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.vocoder.config import VocoderPhase
from voxrelay.training.vocoder.state import VocoderState

_EDGE = 2  # mel frames that reach beyond a sound that brings no context


@dataclass(frozen=True)
class Batch:
    """Crops, float32 [crops, crop + 768] at 22.05 kHz with the context that their mel needs, and conversions.

    ``predicted``: float32 [crops that come last, 80, frames], what an acoustic model makes of what they say.
    ``asked``: float32 [conversions, 80, frames], mels of as many frames as the crops have.
    """

    sound: torch.Tensor
    predicted: torch.Tensor
    asked: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """Move tensors to a device."""
        return Batch(self.sound.to(device), self.predicted.to(device), self.asked.to(device))


class Learner:
    """Takes steps on a :class:`VocoderState`."""

    def __init__(self, state: VocoderState) -> None:
        self.state = state
        self.mel = LogMel().to(state.device)
        self.stft = losses.MultiResolution().to(state.device)

    def learn(self, batch: Batch) -> Figures:
        """Take one step; gives the losses before it, unweighted, and the norms of the gradients; scalars."""
        phase, begin = phases.at(self.state.config.phases, self.state.step)
        rate = phase.rate_at(self.state.step - begin)
        true = batch.sound[:, MARGIN:-MARGIN]
        mel = self.mel.inner(batch.sound[: len(batch.sound) - len(batch.predicted)])
        with torch.set_grad_enabled(phase.generates), self.state.autocast():
            made = self.state.generator(torch.cat([mel, batch.predicted, batch.asked])).float()
        figures: Figures = {}
        if phase.discriminate:
            figures |= self._discriminate(true, made.detach(), rate)
        if phase.generates:
            figures |= self._generate(true, made, batch.asked, phase, rate)
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

    def _generate(
        self, true: torch.Tensor, made: torch.Tensor, asked: torch.Tensor, phase: VocoderPhase, rate: float
    ) -> Figures:
        """Step; what was made first is to be the true sound, the rest only to have the mels that were asked for."""
        own = made[: len(true)]
        parts = {"mel": functional.l1_loss(self.mel(own), self.mel(true)), "stft": self.stft(own, true)}
        if len(asked):
            parts["asked"] = functional.l1_loss(self.within(made[len(true) :]), asked[..., _EDGE:-_EDGE])
        if phase.judged:
            parts |= self._judgement(true, made)
        weights = asdict(phase.weights)
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        state = self.state
        norm = state.move(state.generator, state.generator_optimiser, loss, rate, state.config.clip)
        return {**{name: part.detach() for name, part in parts.items()}, "gradient": norm}

    def within(self, made: torch.Tensor) -> torch.Tensor:
        """Return the log-mel of sound that was made, [batch, 256 * frames], without two frames at each end."""
        inset = _EDGE * MEL.hop - MARGIN
        return self.mel.inner(made[:, inset:-inset])

    def _judgement(self, true: torch.Tensor, made: torch.Tensor) -> Figures:
        self.state.discriminators.requires_grad_(False)  # noqa: FBT003 - torch's signature
        with self.state.autocast():
            scores, features = self.state.discriminators(made)
            with torch.no_grad():
                _, wanted = self.state.discriminators(true)
        self.state.discriminators.requires_grad_(True)  # noqa: FBT003 - torch's signature
        same = [layer[: len(true)] for layer in features]
        return {"feature": losses.feature_matching(wanted, same), "adversarial": losses.deception(scores)}
