"""Which utterances are typical of their speaker, and which lie near another: to be looked at and listened to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.intp]

BOUNDARY = 8


@dataclass(frozen=True)
class Placement:
    """Where each utterance lies among the centres of the speakers.

    ``own``: cosine to the centre of its speaker's other utterances; ``other``: to the nearest centre of
    another speaker, ``nearest``. ``margin`` is the difference; below 0, it sounds more like the other.
    """

    own: Floats
    other: Floats
    nearest: Labels

    @property
    def margin(self) -> Floats:
        """How much nearer each utterance is to its own speaker."""
        return self.own - self.other


def place(embeddings: Floats, speakers: Labels) -> Placement:
    """Place utterances, float [utterances, dimensions] of unit norm, of speakers with two or more each."""
    sums = np.zeros((speakers.max() + 1, embeddings.shape[1]))
    np.add.at(sums, speakers, embeddings)
    rest = sums[speakers] - embeddings
    own = np.einsum("ud,ud->u", embeddings, rest / np.linalg.norm(rest, axis=1, keepdims=True))
    likeness = embeddings @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T
    likeness[np.arange(len(speakers)), speakers] = -np.inf
    return Placement(own, likeness.max(axis=1), likeness.argmax(axis=1))


def extremes(placement: Placement, speakers: Labels) -> list[int]:
    """Return for each speaker the utterance of the largest margin: nearest its own centre, farthest from others."""
    ranked = np.argsort(-placement.margin, kind="stable")
    return [int(next(index for index in ranked if speakers[index] == speaker)) for speaker in range(speakers.max() + 1)]


def boundary(placement: Placement, count: int = BOUNDARY) -> list[int]:
    """Return the utterances of the smallest margins, the smallest first."""
    return [int(index) for index in np.argsort(placement.margin, kind="stable")[:count]]
