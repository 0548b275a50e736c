"""The timeline of a job: which worker waited for, moved and worked on which unit, and when."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from voxrelay.relay.config import STAGES, Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Part
from voxrelay.relay.work import Work

Kind = Literal["waiting", "moving", "working"]
KINDS: tuple[Kind, ...] = ("waiting", "moving", "working")


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Facts):
    """What happened to one unit, from ``start`` to ``end`` in seconds since the job's first unit was ready."""

    kind: Kind
    part: Part
    index: int
    start: float
    end: float


class Lane(_Facts):
    """One worker and all that it did; ``worker`` is ``host:process``."""

    stage: Stage
    model: str
    worker: str
    intervals: list[Interval]

    def spans(self, kind: Kind) -> list[tuple[float, float]]:
        """Return the intervals of a kind, joined where they overlap: units of a batch are worked on at once."""
        return _union((i.start, i.end) for i in self.intervals if i.kind == kind)


class Total(_Facts):
    """A stage, summed over its workers.

    ``waiting`` and ``moving`` are seconds summed over units; ``working`` seconds in which workers
    computed, a batch counted once; ``busy`` the share of the job's time that this is, a worker.
    """

    stage: Stage
    workers: int
    units: int
    waiting: float
    moving: float
    working: float
    busy: float


class Timeline(_Facts):
    """A job: ``started`` in seconds since the epoch, ``seconds`` until its last output was filed."""

    job: str
    started: float
    seconds: float
    lanes: list[Lane]

    @classmethod
    def of(cls, job: str, works: Sequence[Work]) -> Self:
        """Arrange a job's trace by worker, in the order of the chain.

        Raises:
            BadInputError: nothing was done yet.

        """
        if not works:
            raise BadInputError("nothing to show: no stage has ended yet", where=job)
        started = min(work.times.queued for work in works)
        workers: dict[tuple[Stage, str, str], list[Work]] = {}
        for work in works:
            workers.setdefault((work.stage, work.model, f"{work.host}:{work.process}"), []).append(work)
        lanes = [
            Lane(
                stage=stage,
                model=model,
                worker=worker,
                intervals=sorted(
                    (interval for work in mine for interval in _intervals(work, started)), key=lambda i: i.start
                ),
            )
            for (stage, model, worker), mine in workers.items()
        ]
        lanes.sort(key=lambda lane: (STAGES.index(lane.stage), lane.model, lane.worker))
        seconds = max(work.times.filed for work in works) - started
        return cls(job=job, started=started, seconds=round(seconds, 6), lanes=lanes)

    def totals(self) -> list[Total]:
        """Sum each stage up, in the order of the chain."""
        return [
            self._total(stage, lanes)
            for stage in STAGES
            if (lanes := [lane for lane in self.lanes if lane.stage == stage])
        ]

    def _total(self, stage: Stage, lanes: list[Lane]) -> Total:
        every = [interval for lane in lanes for interval in lane.intervals]
        waiting, moving = (sum(i.end - i.start for i in every if i.kind == kind) for kind in ("waiting", "moving"))
        working = sum(end - start for lane in lanes for start, end in lane.spans("working"))
        available = self.seconds * len({lane.worker for lane in lanes})
        return Total(
            stage=stage,
            workers=len({lane.worker for lane in lanes}),
            units=len({(i.part, i.index) for i in every}),
            waiting=round(waiting, 4),
            moving=round(moving, 4),
            working=round(working, 4),
            busy=round(working / available, 4) if available else 0.0,
        )

    def verdict(self) -> str:
        """Name the stage that the others wait for: the one whose workers are busiest."""
        slowest = max(self.totals(), key=lambda total: total.busy)
        return (
            f"{slowest.stage} is the slowest stage: its {_count(slowest.workers, 'worker')} worked "
            f"{slowest.busy:.0%} of the job's {self.seconds:.2f} s."
        )


def _intervals(work: Work, started: float) -> Iterator[Interval]:
    """Cut a unit's stay at a worker; clocks of two machines may differ, so none ends before it begins."""
    t = work.times
    moments = (t.queued, t.taken, t.fetched, t.started, t.ended, t.filed)
    kinds: tuple[Kind, ...] = ("waiting", "moving", "waiting", "working", "moving")
    for kind, start, end in zip(kinds, moments, moments[1:], strict=False):
        if end > start:
            begin, finish = round(start - started, 6), round(end - started, 6)
            yield Interval(kind=kind, part=work.part, index=work.index, start=begin, end=finish)


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
