"""Training speakers that no batch may hold: checkpoints are selected on them.

The development split stays unread until a release is judged; what is chosen during training is
chosen on these. Every recipe holds back the same speakers, by a rule that depends on names alone.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, zip_longest

from voxrelay.relay.errors import BadInputError
from voxrelay.training.cache import Clip


def speakers(clips: Iterable[Clip], counts: Mapping[str, int]) -> frozenset[str]:
    """Choose the speakers to hold back.

    Of each corpus in ``counts``, that many speakers who are in no other corpus: the first by the
    hash of their names, the sexes in turn; at most a quarter of its speakers, at least one of two.
    Where none of these corpora is there, as with recordings of one's own, two of each that is.
    """
    sexes: dict[str, dict[str, str]] = defaultdict(dict)
    corpora: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        sexes[clip.corpus][clip.speaker] = clip.sex
        corpora[clip.speaker].add(clip.corpus)
    held: set[str] = set()
    if not sexes.keys() & counts.keys():
        counts = dict.fromkeys(sorted(sexes), 2)
    for corpus, count in counts.items():
        own = {name: sex for name, sex in sexes[corpus].items() if corpora[name] == {corpus}}
        most = max(len(own) // 4, min(len(own) - 1, 1))
        held.update(_in_turn(corpus, own)[: min(count, most)])
    return frozenset(held)


def key(held: Collection[str]) -> str:
    """Name speakers who are held back in one word: what has heard all others is of no use to who holds others back."""
    return hashlib.sha256("\0".join(sorted(held)).encode()).hexdigest()[:8]


def longest(clips: Iterable[Clip], held: Collection[str]) -> list[Clip]:
    """Return the longest clip of each of the speakers who are held back, by their names.

    Raises:
        BadInputError: nobody is.

    """
    found: dict[str, Clip] = {}
    for clip in clips:
        if clip.speaker in held and clip.length > found.get(clip.speaker, clip).length - 1:
            found[clip.speaker] = clip
    if not found:
        raise BadInputError("nobody is held back to validate on", hint="bring at least two speakers")
    return [clip for _, clip in sorted(found.items())]


def _in_turn(corpus: str, sexes: Mapping[str, str]) -> list[str]:
    """Order speakers by the hash of their names, the sexes alternating."""
    ordered = sorted(sexes, key=lambda name: hashlib.sha256(f"{corpus}/{name}".encode()).digest())
    columns = [[name for name in ordered if sexes[name] == sex] for sex in sorted(set(sexes.values()))]
    return [name for name in chain.from_iterable(zip_longest(*columns)) if name is not None]
