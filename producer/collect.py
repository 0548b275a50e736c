"""Collect what the windows of a job become, in order, while they are made."""

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import redis

from voxrelay.producer.session import Session
from voxrelay.relay import keys, presence
from voxrelay.relay.config import Stage
from voxrelay.relay.errors import BadInputError, StageError, UnavailableError
from voxrelay.relay.job import Link, Part

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
ACKNOWLEDGE_SECONDS = 1.0
_LEASE_SECONDS = 15


@dataclass(frozen=True)
class Progress:
    """A stage ended on one window or reference; ``total`` counts all that the stage will do."""

    part: Part
    stage: Stage
    done: int
    total: int


OnProgress = Callable[[Progress], None]


def ignore(_: object) -> None:
    """Tell nobody."""


class Watch:
    """Follows one job without touching it."""

    def __init__(self, session: Session, job: str, on_progress: OnProgress) -> None:
        self.session, self.ledger, self.job = session, session.ledger, job
        self.manifest = session.ledger.manifest(job)
        self.on_progress = on_progress
        self._done: dict[tuple[Part, Stage], set[int]] = {}
        self._events = self.ledger.follow(job, POLL_SECONDS)
        self._catch_up()

    def wait(self) -> str:
        """Wait until the job has ended; return its state."""
        while (state := self.ledger.state(self.job)) in ("running", "paused"):
            self._next(-1)
        self._catch_up()
        return state

    def _catch_up(self) -> None:
        """Count what was done before anybody looked, or since; nobody need count what nobody is told."""
        if self.on_progress is ignore:
            return
        for part, index, stage in self.ledger.done(self.job):
            if index not in self._done.get((part, stage), ()):
                self._count(part, index, stage)

    def _next(self, index: int) -> None:
        """Wait for the last stage of a window (-1: for any stage of any), or a second; whatever ends is counted."""
        last, quiet_since = self.manifest.chain[-1].stage, time.monotonic()
        for event in self._events:
            if event is None:
                self._check_alive(quiet_since)
                return
            if not event.error:
                self._count(event.part, event.index, event.stage)
            if event.error or index < 0 or (event.part, event.index, event.stage) == ("window", index, last):
                return

    def _count(self, part: Part, index: int, stage: Stage) -> None:
        """Count a finished unit, once, and tell whoever watches."""
        units = self._done.setdefault((part, stage), set())
        units.add(index)
        total = len(self.manifest.windows if part == "window" else self.manifest.references)
        self.on_progress(Progress(part, stage, len(units), total))

    def _check_alive(self, quiet_since: float) -> None:
        """Give up when nothing happens and a pool has no worker."""
        if time.monotonic() - quiet_since >= PATIENCE_SECONDS:
            check_served(self.session, self.manifest.chain, self.job)


class Collector(Watch):
    """Takes a job's results away; a context manager, for one at a time may."""

    def __init__(self, session: Session, job: str, on_progress: OnProgress) -> None:
        super().__init__(session, job, on_progress)
        self._holder = f"{socket.gethostname()} {os.getpid()}"
        self._leaving = threading.Event()
        self._gone, self._removed_at = self.collected, -math.inf

    def __enter__(self) -> Self:
        jobs, key = self.session.stores.jobs, keys.collector(self.job)
        if not jobs.set(key, self._holder, nx=True, ex=_LEASE_SECONDS):
            holder = (jobs.get(key) or b"").decode()
            if holder and not _has_died(holder):
                raise BadInputError(f"{self.job} is being fetched by {holder}", hint="wait for it, or end it")
            jobs.set(key, self._holder, ex=_LEASE_SECONDS)
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._renewing.join()  # its connection is about to be closed
        self.session.stores.jobs.delete(keys.collector(self.job))

    @property
    def collected(self) -> int:
        """How many windows were collected and are gone from Redis."""
        return int(self.session.stores.jobs.hget(keys.job(self.job), "collected") or 0)

    @property
    def shift(self) -> int:
        """Shift of the first window that is still there, if it was written: see ``Joiner``."""
        return int(self.session.stores.jobs.hget(keys.job(self.job), "shift") or 0)

    def results(self, first: int) -> Iterator[tuple[int, bytes]]:
        """Yield what each window became, in order from ``first``; empty bytes for a gap.

        Raises:
            StageError: the job has failed, was cancelled, or its results are gone.
            UnavailableError: nothing happens, because a pool has no worker.

        """
        for index in range(first, len(self.manifest.windows)):
            while (blob := self.ledger.result(self.job, index)) is None:
                self._check_state(index)
                self._next(index)
            yield index, blob

    def acknowledge(self, index: int, shift: int = 0) -> None:
        """Remove the windows up to this, which were collected; note the shift of the one after it, which was written.

        Once a second: each time, Redis writes to its disk, and answers nobody meanwhile. Whoever goes on after an
        interruption writes again what was not acknowledged.
        """
        if time.monotonic() - self._removed_at < ACKNOWLEDGE_SECONDS:
            return
        indexes = range(self._gone, index + 1)
        pipe = self.session.stores.jobs.pipeline()
        pipe.hset(keys.job(self.job), mapping={"collected": index + 1, "shift": shift})
        pipe.hdel(keys.sources(self.job), *map(str, indexes))
        pipe.hdel(keys.results(self.job), *map(str, indexes))
        pipe.execute()
        self.session.stores.tensors.delete(*(key for each in indexes for key in self.manifest.window_keys(each)))
        self._gone, self._removed_at = index + 1, time.monotonic()

    def sign(self, output: Path) -> None:
        """Note where the windows that are gone from Redis have gone to."""
        self.session.stores.jobs.hset(keys.job(self.job), "output", f"{socket.gethostname()}:{output.resolve()}")

    def _check_state(self, index: int) -> None:
        state, error = self.session.stores.jobs.hmget(keys.job(self.job), "state", "error")
        if state == b"failed":
            hint = f"vox dead show {self.job}; after `vox dead retry {self.job}` the same command goes on"
            raise StageError((error or b"").decode(), where=self.job, hint=hint)
        if state == b"cancelled":
            raise StageError("was cancelled", where=self.job)
        if state is None:
            raise StageError("is not known any more", where=self.job, hint="was Redis emptied, or the job too old?")
        if state not in (b"running", b"paused") and self.ledger.result(self.job, index) is None:
            raise StageError("its results are gone", where=self.job, hint="submit it again")

    def _renew(self) -> None:
        """Hold the lease, however long whoever collects takes over a window."""
        while not self._leaving.wait(_LEASE_SECONDS / 3):
            with suppress(redis.RedisError):
                self.session.stores.jobs.set(keys.collector(self.job), self._holder, ex=_LEASE_SECONDS)


def check_served(session: Session, chain: Iterable[Link], job: str) -> None:
    """Check that the models of a job still have workers.

    Raises:
        UnavailableError: one has none.

    """
    served = presence.served(session.stores.jobs)
    if gone := [f"{link.stage}.{link.model}" for link in chain if (link.stage, link.model) not in served]:
        raise UnavailableError(f"no worker serves {', '.join(gone)} any more", where=job,
                               hint="vox ps shows the pools; the job waits for them")  # fmt: skip


def _has_died(holder: str) -> bool:
    """Whether a process was of this machine and is gone."""
    host, _, process = holder.partition(" ")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
