"""Dynamic time warping of utterances, and what it says of content.

The same sentence by two speakers should be nearer than two sentences by one: see Sakoe and Chiba, "Dynamic
programming algorithm optimization for spoken word recognition", IEEE TASSP 26, 1978.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from voxrelay.checks.content.frames import Floats, Spoken, Twins

_CONTEXT = 2  # frames on each side that are looked up along with each: as the model `retrieval` does
NEAR = 5  # frames, 0.1 s


@dataclass(frozen=True)
class Preference:
    """``share``: of the comparisons in which the same sentence was nearer; distances a frame, of both kinds."""

    share: float
    comparisons: int
    same_sentence: list[float]
    same_speaker: list[float]


@dataclass(frozen=True)
class LookUp:
    """For every frame of one utterance the nearest in another, and the aligned one: [frames], numbers of frames.

    ``near``: share of frames that were looked up within 0.1 s of the alignment; ``chance``: if they were drawn.
    """

    found: NDArray[np.intp]
    aligned: NDArray[np.intp]
    near: float
    chance: float


def prefer(pairs: list[Twins]) -> Preference:
    """Hold every sentence against the same one by the other speaker, and against other ones by its own."""
    own: dict[tuple[str, str], list[Spoken]] = defaultdict(list)
    for pair in pairs:
        own[pair.first.speaker, pair.second.speaker].append(pair.first)
        own[pair.second.speaker, pair.first.speaker].append(pair.second)
    known: dict[frozenset[int], float] = {}

    def apart(one: Spoken, other: Spoken) -> float:
        pair = frozenset((id(one), id(other)))
        if pair not in known:
            known[pair] = distance(one.frames, other.frames)
        return known[pair]

    same_sentence, same_speaker, nearer = [], [], []
    for pair in pairs:
        across = apart(pair.first, pair.second)
        same_sentence.append(across)
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            rest = [another for another in own[one.speaker, other.speaker] if another is not one]
            within = [apart(one, another) for another in rest]
            same_speaker += within
            nearer += [across < value for value in within]
    return Preference(float(np.mean(nearer)), len(nearer), same_sentence, same_speaker)


def distance(first: Floats, second: Floats) -> float:
    """Return the cost of the best alignment, a frame."""
    return float(_costs(cdist(first, second))[-1, -1] / (len(first) + len(second)))


def look_up(first: Floats, second: Floats) -> LookUp:
    """Look every frame of one utterance up in another, with its neighbours, regardless of order."""
    apart = cdist(first, second)
    found = cdist(_stack(first), _stack(second)).argmin(axis=1)
    aligned = _path(_costs(apart))
    near = np.abs(found - aligned) <= NEAR
    everywhere = np.abs(np.arange(len(second)) - aligned[:, np.newaxis]) <= NEAR
    return LookUp(found, aligned, float(near.mean()), float(everywhere.mean()))


def _costs(apart: Floats) -> Floats:
    """Return the cost of the best path to each cell, [first, second]; steps are right, down or both."""
    total = np.empty_like(apart)
    total[0] = np.cumsum(apart[0])
    for row in range(1, len(apart)):
        above = total[row - 1]
        entered = np.minimum(above, np.concatenate([[np.inf], above[:-1]]))
        along = np.cumsum(apart[row])
        total[row] = along + np.minimum.accumulate(entered - (along - apart[row]))
    return total


def _path(total: Floats) -> NDArray[np.intp]:
    """Return for every frame of the first the frame of the second it is aligned with, in the middle if several are."""
    row, column = total.shape[0] - 1, total.shape[1] - 1
    visited: dict[int, list[int]] = defaultdict(list)
    while row >= 0 and column >= 0:
        visited[row].append(column)
        steps = [(row - 1, column - 1), (row - 1, column), (row, column - 1)]
        inside = [step for step in steps if min(step) >= 0]
        if not inside:
            break
        row, column = min(inside, key=lambda step: total[step])
    return np.array([round(np.mean(visited[row])) for row in range(total.shape[0])])


def _stack(frames: Floats) -> Floats:
    padded = np.pad(frames, ((_CONTEXT, _CONTEXT), (0, 0)), mode="edge")
    return np.concatenate([padded[i : i + len(frames)] for i in range(2 * _CONTEXT + 1)], axis=1)
