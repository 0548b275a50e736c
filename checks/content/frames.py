"""Utterances as frames: what is compared with what."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

FRAME_SECONDS = 0.02


@dataclass(frozen=True)
class Spoken:
    """One utterance; ``frames`` [frames, features], one for every 20 ms."""

    speaker: str
    sentence: str
    frames: Floats


@dataclass(frozen=True)
class Twins:
    """One sentence said by two speakers."""

    first: Spoken
    second: Spoken


def twins(spoken: list[Spoken], most: int) -> list[Twins]:
    """Find sentences that two speakers have said, at most so many for each two, evenly spread."""
    by_speaker: dict[str, dict[str, Spoken]] = {}
    for one in spoken:
        by_speaker.setdefault(one.speaker, {})[one.sentence] = one
    found = []
    for first, second in combinations(by_speaker, 2):
        common = [sentence for sentence in by_speaker[first] if sentence in by_speaker[second]]
        chosen = np.unique(np.linspace(0, len(common) - 1, min(most, len(common))).round().astype(int))
        found += [Twins(by_speaker[first][common[i]], by_speaker[second][common[i]]) for i in chosen]
    return found
