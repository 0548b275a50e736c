"""Items of task threads meet, are computed together where they may be, and fail alone."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from voxrelay.relay.errors import StageError
from voxrelay.relay.tensors import Audio
from voxrelay.workers.runtime.batcher import Batcher, Outcome

FOREVER = 60.0  # seconds: no test passes by waiting this long


def echo(item: int) -> Audio:
    return Audio(np.full(1, item, np.float32), rate=1)


def value(outcome: Outcome) -> int:
    return int(outcome.output.data[0])


class Meeting:
    """A batcher with its threads and a model that keeps what it was given; item 13 is bad."""

    def __init__(self, batch: int, wait: float = FOREVER) -> None:
        self.batches: list[list[int]] = []
        self.announced: list[list[str]] = []
        self.batcher = Batcher(batch, wait, lambda tickets: self.announced.append(list(tickets)))
        self.threads = ThreadPoolExecutor(32)

    def run(self, items: Sequence[int]) -> list[Audio]:
        """Be the model."""
        self.batches.append(list(items))
        if 13 in items:
            raise ValueError(f"13 among {len(items)}")
        return [echo(item) for item in items]

    def send(
        self,
        item: int,
        bucket: Hashable = "same",
        *,
        alone: bool = False,
        run: Callable[[Sequence[Any]], Any] | None = None,
    ) -> Future[Outcome]:
        """Hand an item in from a thread of its own; back when it is there, so that items have an order."""
        before = len(self.batcher._waiting)
        future = self.threads.submit(
            self.batcher.compute, run or self.run, item, bucket, ticket=f"ticket {item}", alone=alone
        )
        while len(self.batcher._waiting) == before and not future.done():
            time.sleep(0.001)
        return future

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the batcher computing, so that items gather."""
        inside, free = threading.Event(), threading.Event()

        def hold(items: Sequence[int]) -> list[Audio]:
            inside.set()
            free.wait()
            return [echo(item) for item in items]

        holder = self.threads.submit(self.batcher.compute, hold, 0, "busy", ticket="busy", alone=True)
        inside.wait()
        self.announced.clear()
        try:
            yield
        finally:
            free.set()
        holder.result()


def test_equal_items_are_computed_together_and_each_gets_its_own() -> None:
    meeting = Meeting(batch=4)
    with meeting.busy():
        futures = [meeting.send(item) for item in range(1, 5)]
    outcomes = [future.result() for future in futures]
    assert [value(outcome) for outcome in outcomes] == [1, 2, 3, 4]
    assert meeting.batches == [[1, 2, 3, 4]]
    assert meeting.announced == [[f"ticket {item}" for item in range(1, 5)]]
    assert {outcome.together for outcome in outcomes} == {4}
    assert all(0 < outcome.started <= outcome.ended for outcome in outcomes)


def test_no_batch_is_larger_than_allowed() -> None:
    meeting = Meeting(batch=3)
    with meeting.busy():
        futures = [meeting.send(item) for item in range(1, 8)]
    assert [value(future.result()) for future in futures] == list(range(1, 8))
    assert meeting.batches == [[1, 2, 3], [4, 5, 6], [7]]


def test_other_kinds_wait_in_their_own_buckets_and_the_oldest_goes_first() -> None:
    meeting = Meeting(batch=8)
    with meeting.busy():
        kinds = {1: "long", 2: "short", 3: "long", 4: "short", 5: "other"}
        futures = [meeting.send(item, kind) for item, kind in kinds.items()]
    assert [value(future.result()) for future in futures] == [1, 2, 3, 4, 5]
    assert meeting.batches == [[1, 3], [2, 4], [5]]


def test_an_item_that_is_to_be_alone_is_alone() -> None:
    meeting = Meeting(batch=8)
    with meeting.busy():
        futures = [meeting.send(item, alone=item in {2, 3}) for item in (1, 2, 3, 4)]
    assert [future.result().together for future in futures] == [2, 1, 1, 2]
    assert meeting.batches == [[1, 4], [2], [3]]


def test_an_item_that_is_to_be_alone_waits_for_nobody() -> None:
    meeting = Meeting(batch=8)
    with meeting.batcher.arrival():
        assert value(meeting.send(1, alone=True).result(timeout=FOREVER / 2)) == 1


def test_nothing_waits_when_nothing_else_arrives() -> None:
    meeting = Meeting(batch=8)
    with meeting.batcher.arrival():
        outcome = meeting.batcher.compute(meeting.run, 1, "same", ticket="", alone=False)
    assert value(outcome) == 1


def test_items_wait_for_what_is_on_its_way() -> None:
    meeting = Meeting(batch=8)
    with meeting.batcher.arrival():
        futures = [meeting.send(item) for item in (1, 2)]
        meeting.batcher.compute(meeting.run, 3, "same", ticket="", alone=False)
    assert [future.result().together for future in futures] == [3, 3]


def test_what_came_to_nothing_is_not_waited_for() -> None:
    meeting = Meeting(batch=8)
    with meeting.batcher.arrival():
        first = meeting.send(1)
        assert not meeting.batches
    assert value(first.result()) == 1


def test_a_full_bucket_waits_neither_for_arrivals_nor_for_older_ones() -> None:
    meeting = Meeting(batch=2)
    with meeting.batcher.arrival():
        lonely = meeting.send(1, "lonely")
        pair = [meeting.send(item, "pair") for item in (2, 3)]
        assert [future.result(timeout=FOREVER / 2).together for future in pair] == [2, 2]
        assert not lonely.done()
    assert value(lonely.result()) == 1


def test_nothing_waits_longer_than_it_may() -> None:
    meeting = Meeting(batch=8, wait=0.01)
    with meeting.batcher.arrival():
        assert value(meeting.send(1).result()) == 1


def test_a_bad_item_fails_alone() -> None:
    meeting = Meeting(batch=8)
    with meeting.busy():
        futures = [meeting.send(item) for item in (1, 13, 2)]
    assert [value(futures[i].result()) for i in (0, 2)] == [1, 2]
    with pytest.raises(ValueError, match="13 among 1"):
        futures[1].result()
    assert meeting.batches == [[1, 13, 2], [1], [13], [2]]
    assert [len(tickets) for tickets in meeting.announced] == [3, 1, 1, 1]


def test_a_result_too_few_is_an_error() -> None:
    meeting = Meeting(batch=8)
    with pytest.raises(StageError, match="0 results for 1 items"):
        meeting.send(1, run=lambda _items: []).result()
    with meeting.busy():
        futures = [meeting.send(item, run=lambda items: [echo(items[0])]) for item in (1, 2)]
    assert [(value(future.result()), future.result().together) for future in futures] == [(1, 1), (2, 1)]


def test_nothing_runs_that_could_not_be_announced() -> None:
    meeting = Meeting(batch=8)

    def fail(tickets: Sequence[str]) -> None:
        raise ConnectionError(f"no Redis for {len(tickets)}")

    with meeting.busy():
        futures = [meeting.send(item) for item in (1, 2)]
        meeting.batcher.announce = fail
    for future in futures:
        with pytest.raises(ConnectionError, match="no Redis for 2"):
            future.result()
    assert not meeting.batches


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("once_more", [False, True])
def test_an_end_leaves_no_thread_waiting(end: type[BaseException], *, once_more: bool) -> None:
    meeting = Meeting(batch=8)

    def interrupted(items: Sequence[int]) -> list[Audio]:
        if once_more and len(items) > 1:
            raise ValueError("together")
        raise end

    with meeting.busy():
        futures = [meeting.send(item, run=interrupted) for item in (1, 2, 3)]
    for future in futures:
        with pytest.raises(end):
            future.result()
    assert value(meeting.send(4).result()) == 4, "the batcher serves those who come later"


def test_one_computation_at_a_time_and_none_is_lost_or_mixed_up() -> None:
    meeting, inside = Meeting(batch=4, wait=0.001), threading.Lock()

    def run(items: Sequence[int]) -> list[Audio]:
        assert inside.acquire(blocking=False), "two at once"
        try:
            return meeting.run(items)
        finally:
            inside.release()

    def work(item: int) -> int:
        with meeting.batcher.arrival():
            return value(meeting.batcher.compute(run, item, item % 3, ticket=item, alone=item % 50 == 0))

    items = range(100, 700)
    assert list(meeting.threads.map(work, items)) == list(items)
    assert sorted(item for batch in meeting.batches for item in batch) == list(items)
    assert all(len(batch) <= 4 and len({item % 3 for item in batch}) == 1 for batch in meeting.batches)
