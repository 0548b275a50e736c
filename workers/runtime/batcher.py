"""In-pool batching: task threads meet here, and items of equal length are computed together.

The tasks stay ordinary ones, so acknowledgement, retries and chains work as ever; LitServe, Ray Serve
and Triton batch the same way, inside the process.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from voxrelay.relay.errors import StageError
from voxrelay.relay.tensors import Tensor

Run = Callable[[Sequence[Any]], Sequence[Tensor]]


@dataclass(frozen=True)
class Outcome:
    """What came of an item; ``started`` and ``ended`` in seconds since the epoch, ``together`` with how many."""

    output: Tensor
    started: float
    ended: float
    together: int


@dataclass(eq=False)
class _Request:
    """An item that waits to be computed."""

    run: Run
    item: Any
    bucket: Hashable
    ticket: Any
    alone: bool
    since: float = field(default_factory=time.monotonic)
    outcome: Outcome | None = None
    error: BaseException | None = None

    @property
    def settled(self) -> bool:
        return self.outcome is not None or self.error is not None


class Batcher:
    """One computation at a time, of up to ``batch`` items of one bucket.

    Args:
        batch: most items of one computation.
        wait: seconds that the oldest item waits for company while another one is on its way.
        announce: called with the tickets of those that are about to be computed.

    """

    def __init__(self, batch: int, wait: float, announce: Callable[[Sequence[Any]], None]) -> None:
        self.batch, self.wait, self.announce = batch, wait, announce
        self._waiting: list[_Request] = []
        self._arriving = 0
        self._computing = False
        self._changed = threading.Condition()

    @contextmanager
    def arrival(self) -> Iterator[Callable[[], None]]:
        """Say that an item is on its way; the function that this yields says that it has arrived."""
        arrived = False

        def arrive() -> None:
            nonlocal arrived
            with self._changed:
                self._arriving -= not arrived
                arrived = True
                self._changed.notify_all()

        with self._changed:
            self._arriving += 1
        try:
            yield arrive
        finally:
            arrive()

    def compute(self, run: Run, item: object, bucket: Hashable, *, ticket: object, alone: bool) -> Outcome:
        """Compute an item, with others of its bucket unless ``alone``; blocks until it is done.

        Whichever waiting thread finds nothing being computed computes the next batch, also for others.
        An item that fails in company is computed once more by itself, so that it fails alone.
        """
        mine = _Request(run, item, bucket, ticket, alone)
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
        while batch := self._next_batch(mine):
            try:
                self._run(batch)
            finally:
                with self._changed:
                    self._computing = False
                    self._changed.notify_all()
        if mine.error:
            raise mine.error
        assert mine.outcome is not None  # noqa: S101 - settled without an error
        return mine.outcome

    def _next_batch(self, mine: _Request) -> list[_Request]:
        """Wait until this thread has a batch to compute, or its own item is settled: then none."""
        with self._changed:
            while not mine.settled:
                batch, seconds = self._choose()
                if batch and not self._computing:
                    self._computing = True
                    self._waiting = [request for request in self._waiting if request not in batch]
                    return batch
                self._changed.wait(None if self._computing else seconds)
        return []

    def _choose(self) -> tuple[list[_Request], float | None]:
        """Choose the bucket of the oldest item, or say how long it may still wait for company."""
        if not self._waiting:
            return [], None
        oldest = self._waiting[0]
        if oldest.alone:
            return [oldest], None
        mates = [request for request in self._waiting if request.bucket == oldest.bucket and not request.alone]
        left = oldest.since + self.wait - time.monotonic()
        if len(mates) >= self.batch or not self._arriving or left <= 0:
            return mates[: self.batch], None
        return [], left

    def _run(self, batch: list[_Request]) -> None:
        """Compute a batch and settle its items."""
        try:
            self.announce([request.ticket for request in batch])
            started = time.time()
            outputs = batch[0].run([request.item for request in batch])
            if len(outputs) != len(batch):
                raise StageError(f"the model gave {len(outputs)} outputs for {len(batch)} items")
        except Exception as error:  # noqa: BLE001 - it is raised where the item came from
            if len(batch) == 1:
                batch[0].error = error
                return
            for request in batch:
                self._run([request])
        except BaseException as error:
            for request in batch:
                request.error = error
            raise
        else:
            for request, output in zip(batch, outputs, strict=True):
                request.outcome = Outcome(output, started, time.time(), len(batch))
