"""The pace of a worker: how many units it does a second, and how much of its time it computes."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_MARKS = 6  # at a beat of three seconds, the last quarter of a minute


class Pace:
    """Counts units and computing; the beat marks how far they are."""

    def __init__(self) -> None:
        self.since: float | None = None  # when the computation that runs began, in seconds since the epoch
        self._units, self._worked = 0, 0.0
        self._lock = threading.Lock()
        self._marks = deque([(time.time(), 0, 0.0)], _MARKS)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute, one batch at a time."""
        self.since = began = time.time()
        try:
            yield
        finally:
            with self._lock:
                self.since = None
                self._worked += time.time() - began

    def count(self) -> None:
        """Count a unit that was done."""
        with self._lock:
            self._units += 1

    def mark(self) -> tuple[float, float]:
        """Return units a second and the share of time that was computed, since a few marks ago."""
        with self._lock:
            now = time.time()
            worked = self._worked + (now - self.since if self.since is not None else 0.0)
            then, units, before = self._marks[0]
            self._marks.append((now, self._units, worked))
            seconds = max(now - then, 1e-3)
            return (self._units - units) / seconds, min(max((worked - before) / seconds, 0.0), 1.0)
