"""Drawing clips corpus by corpus, then speaker by speaker, so that those with one recording count too."""

from collections import defaultdict
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.errors import BadInputError
from voxrelay.training.cache import Cache, Clip


class Draw:
    """Draws clips of every speaker of a cache but those ``without``.

    Args:
        cache: which clips there are.
        without: names of speakers.
        shares: of each corpus, relative to each other; a corpus without one has 1.
        exponent: a speaker is drawn with the probability of their seconds to this power, a clip of
            theirs with that of its length.

    """

    def __init__(self, cache: Cache, without: Collection[str], shares: Mapping[str, float], exponent: float) -> None:
        self._groups: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in cache.clips:
            if clip.speaker not in without:
                self._groups[clip.corpus][clip.speaker].append(clip)
        if not self._groups:
            raise BadInputError("no speaker is left to train on", hint="hold fewer back, or bring more speakers")
        self._shares = _normal([shares.get(corpus, 1.0) for corpus in self._groups])
        self._speakers = {
            corpus: _normal([sum(clip.length for clip in clips) ** exponent for clips in speakers.values()])
            for corpus, speakers in self._groups.items()
        }

    @property
    def speakers(self) -> frozenset[str]:
        """Everybody who may be drawn."""
        return frozenset(name for group in self._groups.values() for name in group)

    def clip(self, random: np.random.Generator) -> Clip:
        """Draw a clip."""
        corpus = list(self._groups)[random.choice(len(self._groups), p=self._shares)]
        speakers = list(self._groups[corpus].values())
        clips = speakers[random.choice(len(speakers), p=self._speakers[corpus])]
        return clips[random.choice(len(clips), p=_normal([clip.length for clip in clips]))]


def _normal(weights: list[float] | list[int]) -> NDArray[np.float64]:
    """Scale weights to probabilities."""
    values: NDArray[np.float64] = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    return values
