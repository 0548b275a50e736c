"""Retrieval: content said with stretches of the reference's own mel.

Unit selection (Hunt and Black, ICASSP 1996) over single frames, matched by content as in kNN-VC
(Baas, van Niekerk and Kamper, Interspeech 2023, arXiv 2305.18975). What the best match still lacks
is added by a linear map that is fitted on the reference: the residual compensation of Wu, Virtanen,
Chng and Li, IEEE/ACM TASLP 22(10), 2014.
"""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import Content, Floats, Mel
from voxrelay.workers.mel.search import Frames, Search
from voxrelay.workers.runtime.model import Clip, Target

_CACHED = 4  # references
_RATIO = clock.SOUND_PER_HOP / clock.MEL_HOP  # mel frames in one content frame
_BLOCK = 4096  # frames that are computed with at once in float64


class Reference:
    """The frames of a target's clips, to be searched by content and read out by time."""

    def __init__(self, clips: Sequence[Clip], context: int, ridge: float) -> None:
        if not clips:
            raise BadInputError("a reference without clips")
        self.model = clips[0].content.model
        contents = [clip.content.data for clip in clips]
        self.search = Search(contents, context)
        self.successor = np.concatenate(_successors([len(content) for content in contents]))
        self._place(clips)
        frames = np.arange(len(self.search))
        mel = self.read(frames, np.zeros(len(frames)))
        self.map, variance = _ridge(self.search, mel, ridge)
        self.spread = float(np.sqrt(2 * (2 * context + 1) * variance)) or 1.0
        # What content does not explain, pitch and voice quality, is what must not jump.
        self.timbre = mel - np.concatenate([self.search.frames(block) @ self.map for block in _blocks(len(frames))])
        self.timbre /= _spread(self.timbre)

    def lack(self, features: Floats, path: Frames) -> Floats:
        """Return what the mel of frames lacks of what content [frames, features] wants, float32 [frames, bands]."""
        parts = [
            (self.search.centred(features[block]) - self.search.frames(path[block])) @ self.map
            for block in _blocks(len(path))
        ]
        return np.concatenate(parts)

    def _place(self, clips: Sequence[Clip]) -> None:
        """Note, for every content frame, its clip's first and last mel frame and its own centre among them."""
        counts = [len(clip.content.data) for clip in clips]
        ends = np.cumsum([len(clip.mel.data) for clip in clips])
        self.mel = np.concatenate([clip.mel.data.astype(np.float32) for clip in clips])
        self.first = np.repeat(ends - [len(clip.mel.data) for clip in clips], counts)
        self.last = np.repeat(ends - 1, counts)
        self.centre = self.first + np.concatenate([(np.arange(n) + 0.5) * _RATIO - 0.5 for n in counts])

    def read(self, frames: Frames, offsets: Floats) -> Floats:
        """Read the mel ``offsets`` content frames after the centres of ``frames``: float32 [n, bands]."""
        first, last = self.first[frames], self.last[frames]
        position = np.clip(self.centre[frames] + offsets * _RATIO, first, last)
        before = position.astype(np.intp)
        share = (position - before).astype(np.float32)[:, np.newaxis]
        read: Floats = (1 - share) * self.mel[before] + share * self.mel[np.minimum(before + 1, last)]
        return read


class Retrieval:
    """Implements :class:`~voxrelay.workers.runtime.model.MelModel`; the same input gives the same mel.

    The weights of clips are ignored: frames of several voices make a patchwork, not a blend.
    """

    def __init__(self, neighbours: int, context: int, join_cost: float, ridge: float) -> None:
        self.neighbours, self.context, self.join_cost, self.ridge = neighbours, context, join_cost, ridge
        self._references: OrderedDict[str, Reference] = OrderedDict()

    def convert(self, contents: Sequence[Content], targets: Sequence[Target]) -> list[Mel]:
        """Say contents, float [frames, features], in the voices of as many targets.

        Returns:
            float32 [``clock.mel_frames(frames)``, 80] each.

        Raises:
            BadInputError: a target without clips, or encoded by another content model.

        """
        return [self._convert(content, target) for content, target in zip(contents, targets, strict=True)]

    def _convert(self, content: Content, target: Target) -> Mel:
        reference = self._reference(target)
        if content.model != reference.model:
            raise BadInputError(f"content of {content.model}", hint=f"the reference was encoded by {reference.model}")
        path = self.match(content.data, reference)
        lack = reference.lack(content.data, path)
        position = (np.arange(clock.mel_frames(len(path))) + 0.5) / _RATIO - 0.5
        before = np.floor(position).astype(np.intp)
        # Both neighbours in time say the same within a run of the reference, and cross-fade at a join.
        mel = np.zeros((len(position), reference.mel.shape[1]), dtype=np.float32)
        for frame, share in ((before, before + 1 - position), (before + 1, position - before)):
            inside = np.clip(frame, 0, len(path) - 1)
            said = reference.read(path[inside], position - inside) + lack[inside]
            mel += share.astype(np.float32)[:, np.newaxis] * said
        return Mel(mel)

    def match(self, features: Floats, reference: Reference) -> Frames:
        """Choose the reference frame of every content frame by the Viterbi algorithm: [frames].

        A frame costs the distance of its content, a join the distance in timbre between what would
        have followed and what does follow; both are relative to that of two random frames, and
        going on within a clip is free.
        """
        distances, candidates = reference.search.nearest(features, min(self.neighbours, len(reference.search)))
        distances /= reference.spread
        cost, choices = distances[0], []
        for i in range(1, len(features)):
            followers = reference.timbre[reference.successor[candidates[i - 1]]]
            joins = cdist(followers, reference.timbre[candidates[i]])
            total = cost[:, np.newaxis] + self.join_cost * joins
            choices.append(total.argmin(axis=0))
            cost = total.min(axis=0) + distances[i]
        best = [cost.argmin()]
        for choice in reversed(choices):
            best.append(choice[best[-1]])
        path: Frames = candidates[np.arange(len(features)), best[::-1]]
        return path

    def _reference(self, target: Target) -> Reference:
        """Return the target's index, from the cache where it is there."""
        found = self._references.pop(target.id, None) or Reference(target.clips(), self.context, self.ridge)
        self._references[target.id] = found
        if len(self._references) > _CACHED:
            self._references.popitem(last=False)
        return found


def load(neighbours: int = 30, context: int = 2, join_cost: float = 0.5, ridge: float = 0.03) -> Retrieval:
    """Choose how frames are matched.

    Args:
        neighbours: candidates for each frame, from 1.
        context: frames on each side that are matched along with each.
        join_cost: of a jump between unlike frames, against a match as bad as chance.
        ridge: how little of what a match lacks is added, relative to the variance of a content
            feature: more is nearer to the target's voice, less is clearer speech.

    Raises:
        BadConfigError: an option out of its range.

    """
    if neighbours < 1 or context < 0 or join_cost < 0 or ridge < 0:
        what = f"neighbours {neighbours}, context {context}, join_cost {join_cost}, ridge {ridge}"
        raise BadConfigError(what, where="retrieval", hint="allowed: neighbours from 1, the others from 0")
    return Retrieval(neighbours, context, join_cost, ridge)


def _successors(lengths: Sequence[int]) -> list[Frames]:
    """Number the frame after every frame; a clip's last is its own."""
    starts = np.cumsum([0, *lengths[:-1]])
    return [start + np.minimum(np.arange(n) + 1, n - 1) for start, n in zip(starts, lengths, strict=True)]


def _spread(frames: Floats) -> float:
    """Root mean square distance of two random frames; 1 where all are the same."""
    return float(np.sqrt(2 * frames.var(axis=0).sum())) or 1.0


def _ridge(search: Search, mel: Floats, ridge: float) -> tuple[Floats, float]:
    """Fit a linear map [features, bands] from content to mel, both less their means; and sum content's variances."""
    width = len(search.mean)
    gram, cross = np.zeros((width, width)), np.zeros((width, mel.shape[1]))
    mean = mel.mean(axis=0, dtype=np.float64)
    for block in _blocks(len(search)):
        content = search.frames(block).astype(np.float64)
        gram += content.T @ content
        cross += content.T @ (mel[block] - mean)
    total = float(np.trace(gram))
    penalty = ridge * total / width + np.finfo(np.float32).tiny
    solved: Floats = np.linalg.solve(gram + penalty * np.eye(width), cross).astype(np.float32)
    return solved, total / len(search)


def _blocks(count: int) -> list[Frames]:
    """Number frames through, a block at a time."""
    return [np.arange(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
