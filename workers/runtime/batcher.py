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
    """An item that waits to be computed, with at most ``most`` in all of its bucket."""

    run: Run
    item: Any
    bucket: Hashable
    ticket: Any
    most: int
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
        wait: seconds that an item waits for company while others are on their way.
        announce: called with the tickets of those that are about to be computed together; what it
            raises is the error of each.

    """

    def __init__(self, batch: int, wait: float, announce: Callable[[Sequence[Any]], None]) -> None:
        self.batch, self.wait, self.announce = batch, wait, announce
        self._waiting: list[_Request] = []  # oldest first
        self._arriving: set[int] = set()  # threads
        self._computing = False
        self._changed = threading.Condition()

    @contextmanager
    def arrival(self) -> Iterator[None]:
        """Say that this thread fetches an item: until it hands it to :meth:`compute`, or leaves."""
        with self._changed:
            self._arriving.add(threading.get_ident())
        try:
            yield
        finally:
            with self._changed:
                self._arriving.discard(threading.get_ident())
                self._changed.notify_all()

    def compute(self, run: Run, item: object, bucket: Hashable, *, ticket: object, alone: bool) -> Outcome:
        """Compute an item, with others of its bucket unless ``alone``; blocks until it is done.

        Whichever waiting thread finds nothing being computed computes the next batch, also for others.
        What failed in company is computed again one by one, so that a bad item fails alone.

        Args:
            run: computes items of this bucket; gives as many results, in order.
            item: what ``run`` takes.
            bucket: what items must have in common to be computed together.
            ticket: what ``announce`` is told.
            alone: keep it from others, because a worker may have died of it.

        Raises:
            Exception: what computing this item alone raised, or its ``announce``.

        """
        with self._changed:
            mine = _Request(run, item, object() if alone else bucket, ticket, 1 if alone else self.batch)
            self._waiting.append(mine)
            self._arriving.discard(threading.get_ident())
            self._changed.notify_all()
        try:
            while batch := self._next_batch(mine):
                self._compute(batch)
        finally:  # interrupted: nobody waits for it any more
            with self._changed:
                self._waiting = [request for request in self._waiting if request is not mine]
        if mine.outcome is None:
            raise mine.error or StageError("an item that was not computed")
        return mine.outcome

    def _next_batch(self, mine: _Request) -> list[_Request]:
        """Wait until there is a batch for this thread to compute, or its own item is settled: then none."""
        with self._changed:
            while not mine.settled:
                batch, seconds = ([], None) if self._computing else self._ready()
                if batch:
                    self._computing = True
                    self._waiting = [request for request in self._waiting if request not in batch]
                    return batch
                self._changed.wait(seconds)
        return []

    def _ready(self) -> tuple[list[_Request], float | None]:
        """Find the oldest bucket that waits no more; else the seconds until there is one (None: when told)."""
        buckets: dict[Hashable, list[_Request]] = {}
        for request in self._waiting:
            buckets.setdefault(request.bucket, []).append(request)
        late = time.monotonic() - self.wait
        for found in buckets.values():
            oldest = found[0]
            if len(found) >= oldest.most or not self._arriving or oldest.since <= late:
                return found[: oldest.most], None
        return [], self._waiting[0].since - late if self._waiting else None

    def _compute(self, batch: list[_Request]) -> None:
        """Settle every item of a batch, whatever happens."""
        try:
            self._attempt(batch)
            for request in batch:
                if not request.settled:
                    self._attempt([request])
        except BaseException as error:  # the process is to end: no thread may go on waiting
            for request in batch:
                request.error = request.error or error
            raise
        finally:
            with self._changed:
                self._computing = False
                self._changed.notify_all()

    def _attempt(self, batch: list[_Request]) -> None:
        """Compute a batch; what fails in company is left unsettled."""
        try:
            self.announce([request.ticket for request in batch])
        except Exception as error:  # noqa: BLE001 - it is raised where the items came from
            for request in batch:
                request.error = error
            return
        try:
            outcomes = _outcomes(batch)
        except Exception as error:  # noqa: BLE001 - it is raised where the item came from
            if len(batch) == 1:
                batch[0].error = error
        else:
            for request, outcome in zip(batch, outcomes, strict=True):
                request.outcome = outcome


def _outcomes(batch: list[_Request]) -> list[Outcome]:
    """Run the model on a batch.

    Raises:
        StageError: it gave more or fewer results than there are items.

    """
    started = time.time()
    outputs = batch[0].run([request.item for request in batch])
    ended = time.time()
    if len(outputs) != len(batch):
        raise StageError(f"{len(outputs)} results for {len(batch)} items", hint="a model gives one for each, in order")
    return [Outcome(output, started, ended, len(batch)) for output in outputs]
