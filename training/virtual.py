"""Voices that nobody has: speakers played slower and faster, which moves pitch and formants together.

A few hundred voices, most of them known by one utterance, are few to learn from what an embedding of any
voice means; changed like this every one of them counts as three (speed as
augmentation: Ko et al. 2015, Interspeech).
"""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.training.cache import Cache, Clip, Samples, load, samples, write
from voxrelay.training.crops import Range, Share
from voxrelay.training.once import once
from voxrelay.training.phases import Positive

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class VirtualConfig:
    """How voices are made that nobody has.

    Args:
        share: of what is drawn that is in such a voice; 0: none are made.
        factors: ranges of speed; every speaker gets one voice from each, at a factor of their own.
        seconds: of each speaker, at most.

    """

    share: Share = 0.4
    factors: Annotated[tuple[Range, ...], Field(min_length=1)] = ((0.85, 0.94), (1.07, 1.18))
    seconds: Positive = 30.0


def prepare(cache: Cache, without: Collection[str], config: VirtualConfig) -> Cache:
    """Open the cache of voices made from those of another, making it where that has not been done.

    Args:
        cache: with the sound.
        without: speakers of whom none are made.
        config: how.

    """
    facts = json.dumps([sorted(without), config.factors, config.seconds])
    folder = cache.folder / f"virtual-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
    with once(folder) as missing:
        if missing:
            _build(cache, without, config, folder)
    return load(folder, cache.rate)


def _build(cache: Cache, without: Collection[str], config: VirtualConfig, folder: Path) -> None:
    """Make every speaker's first recordings theirs who would say them at another speed."""
    _log.info("making voices into %s", folder)
    write(folder, cache.rate, _made(cache, without, config))


def _made(cache: Cache, without: Collection[str], config: VirtualConfig) -> Iterator[tuple[Clip, Samples]]:
    import soxr

    taken: dict[str, float] = defaultdict(float)
    for clip in cache.clips:
        if clip.speaker in without or taken[clip.speaker] > config.seconds:
            continue
        taken[clip.speaker] += clip.length / cache.rate
        for factor in factors(clip.speaker, config):
            sound = soxr.resample(cache.floats(clip), factor * cache.rate, cache.rate)
            yield replace(clip, speaker=f"{clip.speaker}@{factor:.3f}"), samples(sound)


def factors(speaker: str, config: VirtualConfig) -> list[float]:
    """Return a factor of each range; always the same for one name."""
    random = np.random.default_rng(list(hashlib.sha256(speaker.encode()).digest()))
    return [float(np.exp(random.uniform(*np.log(each)))) for each in config.factors]
