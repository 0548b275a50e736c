"""One step of learning content."""

import math
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from voxrelay.training import phases
from voxrelay.training.content import alignment
from voxrelay.training.content.batches import Batch
from voxrelay.training.content.config import ContentPhase
from voxrelay.training.content.phones import SILENCE, Words, states
from voxrelay.training.content.state import ContentState

Figures = dict[str, torch.Tensor]
_CONTRASTED = 48  # frames of a recording
_PRIOR_PAST = 0.99
_NOT_SILENCE = 20.0


class Learner:
    """Takes steps on a :class:`ContentState`."""

    def __init__(self, state: ContentState) -> None:
        self.state, self.config = state, state.config

    def learn(self, batch: Batch) -> Figures:
        """Take one step; gives the losses before it, unweighted, and figures of them; scalars."""
        state = self.state
        phase, begin = phases.at(self.config.phases, state.step)
        mask = batch.mask.repeat(2, 1)
        with state.autocast():
            content = state.encoder(batch.views.flatten(0, 1), mask)
        content = content.float()
        parts = {
            **self._phones(content, batch, phase),
            "contrast": self._contrast(content.unflatten(0, (2, -1)), batch.mask),
            "envelope": self._envelope(content, batch),
            **self._speaker(content, mask, batch, phase.weights.speaker),
        }
        weights = asdict(phase.weights) | {"speaker": 1.0}  # whose weight is in its gradient
        loss = torch.stack([weights[name] * part for name, part in parts.items() if name in weights]).sum()
        rate = phase.rate_at(state.step - begin)
        norm = state.move(state.trained, state.optimiser, loss, rate, self.config.clip)
        state.step += 1
        state.follow_all()
        return {**{name: part.detach() for name, part in parts.items()}, "gradient": norm}

    def _phones(self, content: torch.Tensor, batch: Batch, phase: ContentPhase) -> Figures:
        """Hold both views of a frame to the phones it probably belongs to."""
        log = self.state.heads.phones(content).log_softmax(dim=-1)
        wanted, known = self._wanted(log.detach().unflatten(0, (2, -1)).mean(dim=0), batch, phase)
        weight = (batch.mask * known[:, None]).repeat(2, 1)
        wanted = wanted.repeat(2, 1, 1)
        loss = -((wanted * log).sum(dim=-1) * weight).sum() / weight.sum().clamp(min=1)
        right = ((log.argmax(dim=-1) == wanted.argmax(dim=-1)) * weight).sum() / weight.sum().clamp(min=1)
        self._learn_prior((wanted * weight[..., None]).sum(dim=(0, 1)) / weight.sum().clamp(min=1))
        return {"phones": loss, "right": right, "silence": self.state.heads.prior[SILENCE].clone()}

    def _learn_prior(self, seen: torch.Tensor) -> None:
        prior = self.state.heads.prior
        if seen.sum() > 0:
            prior.lerp_(seen, 1 - min(_PRIOR_PAST, (1 + self.state.step) / (10 + self.state.step)))

    def _wanted(self, log: torch.Tensor, batch: Batch, phase: ContentPhase) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how probably frames belong to phones, [batch, frames, phones], and which rows are to be learnt."""
        wanted = log.softmax(dim=-1)
        known = torch.full((len(log),), float(phase.pseudo), device=log.device)
        scores = scale(log, self.state.heads.prior, self.config.prior)
        energy = loudness(batch.plain)
        for row, words in enumerate(batch.texts):
            frames = int(batch.mask[row].sum())
            if words and phase.uniform:
                labels = alignment.uniform(states(words)[0], energy[row, :frames], SILENCE)
                found: alignment.Floats | None = np.eye(log.shape[-1])[labels]
            else:
                found = occupied(scores[row, :frames], words, energy[row, :frames]) if words else None
            if found is not None:
                wanted[row, :frames] = torch.from_numpy(found).to(wanted)
                known[row] = 1.0
        return wanted, known

    def _contrast(self, content: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Find a frame of one view among frames of the other (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748).

        Only among those of the same recording: who speaks is of no help there.
        """
        # spread evenly over each recording, from a place that changes with the step
        offset = (self.state.step * 0.618) % 1.0
        places = (torch.arange(_CONTRASTED, device=mask.device) + offset) / _CONTRASTED
        index = (places * mask.sum(dim=1, keepdim=True)).long()[..., None].expand(-1, -1, content.shape[-1])
        one, other = (functional.normalize(view.gather(1, index), dim=-1) for view in content)
        alike = torch.bmm(one, other.transpose(1, 2)) / self.config.temperature
        answer = torch.arange(_CONTRASTED, device=mask.device).expand(len(alike), -1)
        there = functional.cross_entropy(alike.transpose(1, 2), answer)
        back = functional.cross_entropy(alike, answer)
        return 0.5 * (there + back)

    def _envelope(self, content: torch.Tensor, batch: Batch) -> torch.Tensor:
        with self.state.autocast():
            rebuilt = self.state.heads.rebuild(content, batch.speakers.repeat(2)).float()
        wanted = self.state.encoder.normal(batch.envelope).repeat(2, 1, 1)
        wide = batch.mask.repeat(2, 1).repeat_interleave(2, dim=1)
        return ((rebuilt - wanted).abs().mean(dim=-1) * wide).sum() / wide.sum()

    def _speaker(self, content: torch.Tensor, mask: torch.Tensor, batch: Batch, weight: float) -> Figures:
        """Let a classifier learn who speaks, and content learn to keep it from it (Ganin et al., arXiv 1505.07818).

        Content is let alone where the classifier does no better than chance: beyond that it would learn
        to look like somebody else, without end.
        """
        wanted = batch.speakers.repeat(2)
        name = self.state.heads.name
        with torch.no_grad():
            known = functional.cross_entropy(name(content, mask), wanted, reduction="none")
        pull = weight * (known < math.log(self.state.heads.names.num_embeddings))[:, None, None]
        logits = name((1 + pull) * content.detach() - pull * content, mask)
        named = (logits.argmax(dim=-1) == wanted).float().mean()
        return {"speaker": functional.cross_entropy(logits, wanted), "named": named}


def scale(log: torch.Tensor, prior: torch.Tensor, power: float) -> torch.Tensor:
    """Turn log-probabilities of phones into the scores that frames are given to phones by."""
    return log - power * (prior + 1e-4).log()


def loudness(bands: torch.Tensor) -> NDArray[np.float32]:
    """Return the mean log energy of content frames, [..., 2 * frames, 80] to [..., frames]."""
    found: NDArray[np.float32] = bands.mean(dim=-1).unflatten(-1, (-1, 2)).mean(dim=-1).cpu().numpy()
    return found


def occupied(scores: torch.Tensor, words: Words, energy: NDArray[np.float32]) -> alignment.Floats | None:
    """Return how probably each frame belongs to each phone of a text, [frames, phones]; None if it does not fit.

    Loud frames are never silence: left to itself, full-sum training ends with silence everywhere.
    """
    labels, optional = states(words)
    values = scores.double().cpu().numpy()
    values[alignment.loud(energy), SILENCE] -= _NOT_SILENCE
    return alignment.occupation(values, np.array(labels), np.array(optional))
