"""Which phone a frame belongs to, learnt from texts alone.

A left-to-right model without blanks: every phone lasts a frame at least, silence may be passed
over. Its forward-backward occupation is the gradient of the texts' likelihood (full-sum training,
Zeyer et al. 2017, "CTC in the context of generalized full-sum HMM training", Interspeech), and unlike
CTC's it fills the whole of a phone, which is what frames of content are to show.
"""

import numba
import numpy as np
from numpy.typing import NDArray

_NEVER = -1e30
_LOUD = 0.4  # of the way from a recording's quiet frames to its loudest
Floats = NDArray[np.float64]


def loud(energy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say which frames cannot be silence, from the log energy of all frames of a recording."""
    low, high = np.percentile(energy, (5, 95))
    found: NDArray[np.bool_] = energy >= low + _LOUD * (high - low)
    return found


def uniform(labels: list[int], energy: NDArray[np.float32], silence: int) -> NDArray[np.int64]:
    """Spread phones evenly from the first to the last loud frame, silence around: [frames] of labels, to begin with."""
    sounding = np.flatnonzero(loud(energy))
    phones = np.array([label for label in labels if label != silence])
    aligned = np.full(len(energy), silence)
    span = np.arange(sounding[0], sounding[-1] + 1)
    aligned[span] = phones[(np.arange(len(span)) * len(phones)) // len(span)]
    return aligned


def occupation(scores: Floats, labels: NDArray[np.int64], optional: NDArray[np.bool_]) -> Floats | None:
    """Return how probably each frame belongs to each label.

    Args:
        scores: log-likelihoods, float64 [frames, classes].
        labels: of the states in their order, [states].
        optional: which states may be passed over; no two neighbours.

    Returns:
        float64 [frames, classes], rows summing to one; None where there are more phones than frames.

    """
    if np.count_nonzero(~optional) > len(scores):
        return None
    found: Floats = _occupation(scores, labels, optional)
    return found


@numba.njit(cache=True)
def _add(a: float, b: float) -> float:
    """Add two numbers given as logarithms."""
    if a < b:
        a, b = b, a
    return a if b <= _NEVER else a + np.log1p(np.exp(b - a))


@numba.njit(cache=True)
def _forward(scores: Floats, labels: NDArray[np.int64], optional: NDArray[np.bool_]) -> Floats:
    """Return the log-likelihood of all ways to a state at a frame, that frame included: [frames, states]."""
    frames, states = len(scores), len(labels)
    ways = np.full((frames, states), _NEVER)
    for s in range(1 + int(optional[0])):
        ways[0, s] = scores[0, labels[s]]
    for t in range(1, frames):
        for s in range(states):
            total = ways[t - 1, s]
            if s > 0:
                total = _add(total, ways[t - 1, s - 1])
            if s > 1 and optional[s - 1]:
                total = _add(total, ways[t - 1, s - 2])
            ways[t, s] = max(total + scores[t, labels[s]], _NEVER)
    return ways


@numba.njit(cache=True)
def _occupation(scores: Floats, labels: NDArray[np.int64], optional: NDArray[np.bool_]) -> Floats:
    # Backwards is forwards in a mirror, but for the frame itself, which both include.
    ahead = _forward(scores, labels, optional)
    back = _forward(scores[::-1], labels[::-1], optional[::-1])[::-1, ::-1]
    found = np.zeros(scores.shape)
    for t in range(len(scores)):
        ways = ahead[t] + back[t]
        for s in range(len(labels)):
            ways[s] -= scores[t, labels[s]]
        highest = ways.max()
        for s in range(len(labels)):
            found[t, labels[s]] += np.exp(ways[s] - highest)
        found[t] /= found[t].sum()
    return found
