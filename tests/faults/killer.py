"""Kills workers, each while it holds the lease of a unit."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence

import redis

Kind = tuple[str, str]  # stage and part
KINDS: list[Kind] = [
    ("speaker", "reference"),
    ("content", "reference"),
    ("mel", "reference"),
    ("speaker", "window"),
    ("content", "window"),
    ("mel", "window"),
    ("vocoder", "window"),
]
_TWICE = 2  # a unit whose worker dies a third time is given up, which is another test


class Killer(threading.Thread):
    """Kills so many workers that hold units of each kind in turn, at most ``pause`` seconds apart if it can."""

    def __init__(self, jobs: redis.Redis, kills: int, seed: int, pause: float, kinds: Sequence[Kind] = KINDS) -> None:
        super().__init__(daemon=True)
        self.jobs, self.pause, self.chance = jobs, pause, random.Random(seed)  # noqa: S311 - a seed
        self.wanted = [kinds[n % len(kinds)] for n in range(kills)]
        self.hits: Counter[Kind] = Counter()
        self.stopping = threading.Event()
        self._units: Counter[bytes] = Counter()

    def run(self) -> None:
        """Kill at moments of its own choosing."""
        while self.wanted and not self.stopping.wait(self.chance.uniform(0, self.pause)):
            while not self.stopping.is_set() and not (kind := self._strike()):
                time.sleep(0.001)
            if not self.stopping.is_set() and kind:
                self.wanted.remove(kind)
                self.hits[kind] += 1

    def report(self) -> str:
        """Return the hits per stage and part."""
        return ", ".join(f"{stage} {part}s {self.hits[stage, part]}" for stage, part in KINDS if self.hits[stage, part])

    def _strike(self) -> Kind | None:
        """Kill whoever holds a unit of a kind that is wanted; its kind, or None if nobody does."""
        for key in self.jobs.scan_iter(match="vox:lease:*", count=1000):
            holder = self.jobs.get(key)
            if isinstance(holder, bytes) and self._units[key] < _TWICE:
                kind = (holder.split(b".")[0].decode(), key.split(b"|")[1].decode())
                if kind in self.wanted and kill_holder(self.jobs, key, holder):
                    self._units[key] += 1
                    return kind
        return None


def kill_holder(jobs: redis.Redis, key: bytes, holder: bytes) -> bool:
    """Kill a worker if it holds a lease at that very moment: it is stopped before it is asked."""
    process = int(holder.split()[-1])
    try:
        os.kill(process, signal.SIGSTOP)
        held = jobs.get(key) == holder and jobs.pttl(key) > 0
        os.kill(process, signal.SIGKILL if held else signal.SIGCONT)
    except ProcessLookupError:  # killed before: its lease has not run out yet
        return False
    return held
