"""What a recipe derives from the sound of a cache once: rows of numbers, mapped from the disk.

They lie in the cache's folder, ``NAME.rows`` (raw little-endian) and ``NAME.json``, and travel with it.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from voxrelay.training.cache import Cache, Clip
from voxrelay.training.once import once, whole

Rows = NDArray[np.floating]
_SAY_EVERY = 60.0  # seconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Features:
    """Rows of every clip of a cache, [rows, width]."""

    rows: Rows
    places: dict[int, tuple[int, int]]

    def of(self, clip: Clip) -> Rows:
        """Return a clip's rows, without a copy."""
        start, count = self.places[clip.start]
        return self.rows[start : start + count]


def prepare(cache: Cache, name: str, compute: Callable[[Clip], Rows], kind: DTypeLike = "<f2") -> Features:
    """Open the features of that name, computing them for every clip where that has not been done."""
    index, data = cache.folder / f"{name}.json", cache.folder / f"{name}.rows"
    with once(index) as missing:
        if missing:
            _compute(cache, name, compute, kind)
    places = {int(start): (first, count) for start, first, count in json.loads(index.read_text(encoding="utf-8"))}
    rows = sum(count for _, count in places.values())
    return Features(np.memmap(data, dtype=kind, mode="r").reshape(rows, -1), places)


def _compute(cache: Cache, name: str, compute: Callable[[Clip], Rows], kind: DTypeLike) -> None:
    _log.info("computing %s of %d recordings", name, len(cache.clips))
    places, first, said = [], 0, time.monotonic()
    with whole(cache.folder / f"{name}.rows") as unfinished, unfinished.open("wb") as file:
        for done, clip in enumerate(cache.clips):
            rows = np.ascontiguousarray(compute(clip), dtype=kind)
            file.write(rows.tobytes())
            places.append((clip.start, first, len(rows)))
            first += len(rows)
            if time.monotonic() > said + _SAY_EVERY:
                _log.info("%s: %d of %d", name, done, len(cache.clips))
                said = time.monotonic()
    with whole(cache.folder / f"{name}.json") as unfinished:
        unfinished.write_text(json.dumps(places), encoding="utf-8")
