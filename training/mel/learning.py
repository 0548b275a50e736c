"""One step of learning to speak: what is computed, and which network moves."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache

import torch
from torch.nn import functional

from voxrelay.training import losses, phases
from voxrelay.training.mel.batches import Told, converted
from voxrelay.training.mel.config import MelPhase
from voxrelay.training.mel.lent import heard
from voxrelay.training.mel.state import MelState
from voxrelay.workers.mel.attention import attend
from voxrelay.workers.mel.timbre import loud

Figures = dict[str, torch.Tensor]
Listener = Callable[[torch.Tensor], torch.Tensor]
_SMOOTH = 9  # frames
_BROAD = 8  # bands, wide enough that a formant lies in the same one in most voices


class Learner:
    """Takes steps on a :class:`MelState`.

    Args:
        state: what is trained.
        listen: makes the frozen listeners to voice and content, when a phase first asks them.
        read: makes the frozen reader.
        know: makes the frozen x-vector.

    """

    def __init__(
        self,
        state: MelState,
        listen: Callable[[], tuple[Listener, Listener]],
        read: Callable[[], Listener],
        know: Callable[[], Listener],
    ) -> None:
        self.state, self.config = state, state.config
        self._listen, self._read, self._know = cache(listen), cache(read), cache(know)

    def learn(self, told: Told) -> Figures:
        """Take one step; gives the losses before it, unweighted, and the norms of the gradients; scalars."""
        state = self.state
        phase, begin = phases.at(self.config.phases, state.step)
        rate = phase.rate_at(state.step - begin)
        asked = told.joined(converted(told)) if phase.convert else told
        with torch.set_grad_enabled(phase.generates), state.autocast():
            made = asked.said(state.generator).float()
        if len(told.lent):
            own = len(told.mel)
            made = torch.cat([made[:own], heard(made[own:], told.lent)])
        figures: Figures = {}
        if phase.discriminate:
            figures |= self._discriminate(told.mel, made.detach(), rate)
        if phase.generates:
            figures |= self._generate(asked, made, len(told.mel), phase, rate)
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

    def _generate(self, asked: Told, made: torch.Tensor, own: int, phase: MelPhase, rate: float) -> Figures:
        """Step; the first ``own`` of what was made are to be what was said, the others are conversions."""
        state = self.state
        parts = {"mel": distance(made[:own], asked.mel[:own])}
        if phase.judged:
            parts |= self._judgement(asked.mel[:own], made, own)
        if phase.heard:
            parts |= self._hearing(asked, made, own)
        if phase.weights.reading > 0:
            parts["reading"] = misread(self._read(), asked, made, own)
        if phase.convert:
            parts |= shifts(asked, made, own)
        if phase.convert and phase.weights.person > 0:
            parts["person"] = mistaken(self._know(), asked.mel[:own], made[own:])
        weights = asdict(phase.weights)
        loss = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        norm = state.move(state.generator, state.generator_optimiser, loss, rate, self.config.clip)
        return {**{name: part.detach() for name, part in parts.items()}, "gradient": norm}

    def _hearing(self, asked: Told, made: torch.Tensor, own: int) -> Figures:
        """Compare voice and content, as frozen networks hear them, with what was asked for.

        What is to be heard of content is what is heard in the true mel: beside the edges of a crop the encoder, which
        knows no more than the crop, hears in truth itself something else than it hears in the whole recording.
        """
        whose, what = self._listen()
        with torch.no_grad():
            said = what(asked.mel[:own]).repeat(len(made) // own, 1, 1)
        return {
            "voice": 1 - functional.cosine_similarity(whose(made), asked.voice, dim=-1).mean(),
            "content": 1 - functional.cosine_similarity(what(made), said, dim=-1).mean(),
        }

    def _judgement(self, true: torch.Tensor, made: torch.Tensor, own: int) -> Figures:
        judges = self.state.discriminators
        judges.requires_grad_(False)  # noqa: FBT003 - torch's signature
        with self.state.autocast():
            scores, features = judges(made)
            with torch.no_grad():
                _, wanted = judges(true)
        judges.requires_grad_(True)  # noqa: FBT003 - torch's signature
        same = [layer[:own] for layer in features]
        return {"feature": losses.feature_matching(wanted, same), "adversarial": losses.deception(scores)}


def distance(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """L1 of log-mel spectrograms and of their differences in time and over bands."""
    parts = [functional.l1_loss(made, true)]
    parts += [functional.l1_loss(made.diff(dim=axis), true.diff(dim=axis)) for axis in (1, 2)]
    return torch.stack(parts).sum()


def misread(read: Listener, asked: Told, made: torch.Tensor, own: int) -> torch.Tensor:
    """Compare the sounds that a reader takes what was made for with those it takes the first ``own`` true mels for."""
    with torch.no_grad():
        said = read(asked.mel[:own] - asked.timbre[:own, None]).repeat(len(made) // own, 1, 1)
    found = read(made - asked.timbre[:, None])
    return functional.kl_div(found, said, reduction="none", log_target=True).sum(dim=-1).mean()


def mistaken(know: Listener, true: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Compare the voices of conversions with those of the next speaker of the batch, and of their sources.

    As true mels have them: a crop hears a voice as dimly as it does a conversion. Away from the source no further than
    the target is: there is somebody there.
    """
    with torch.no_grad():
        source = know(true)
        target = source.roll(1, dims=0)
        between = functional.cosine_similarity(source, target, dim=-1)
    found = know(made)
    nearer = functional.cosine_similarity(found, source, dim=-1) - between
    return 1 - functional.cosine_similarity(found, target, dim=-1).mean() + functional.relu(nearer).mean()


def shifts(asked: Told, made: torch.Tensor, own: int) -> Figures:
    """Compare conversions with what was said, moved by what lies between the timbres of the two voices.

    The first ``own`` are what was said, the others their conversions. ``timbre``: of mean spectra, over the loud frames
    as a timbre is; ``bands``: of broad bands by time, and of their differences in time; ``likes``: the same, moved by
    what lies between how the two voices say the like elsewhere.
    """
    true, between = asked.mel[:own], (asked.timbre[own:] - asked.timbre[:own])[:, None]
    off = made[own:] - true - between
    louder = loud(true).float()[..., None]
    means = (off * louder).sum(dim=1) / louder.sum(dim=1)
    found = {"timbre": means.abs().mean(), "bands": _broadly(off)}
    if asked.keys.shape[1]:
        like, _ = attend(asked.content, asked.keys, asked.values)  # how each voice says it elsewhere
        here, there = like.split((own, len(like) - own))
        shift = smoothed(there - here) + between.mean(dim=-1, keepdim=True)
        found["likes"] = _broadly(made[own:] - true - shift)
    return found


def smoothed(rows: torch.Tensor) -> torch.Tensor:
    """Average over a tenth of a second, [batch, frames, bands]: a look-up jumps from frame to frame."""
    half = _SMOOTH // 2
    return functional.avg_pool1d(rows.transpose(1, 2), _SMOOTH, 1, half, count_include_pad=False).transpose(1, 2)


def _broadly(off: torch.Tensor) -> torch.Tensor:
    """Average how far broad bands are off by time, and their differences in time."""
    broad = off.unflatten(-1, (_BROAD, -1)).mean(dim=-1)
    return broad.abs().mean() + broad.diff(dim=1).abs().mean()
