"""The trace of a job: what one stage did on one unit, and how it is kept in few bytes.

A unit's stages are lines of one field, and who did them is said once for each worker: the trace is all of a
job that grows with its length and stays.
"""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from voxrelay.relay.config import Stage
from voxrelay.relay.job import Part

# Moments are kept in steps of 0.1 ms.
_STEPS = 10_000
_WORKER = "worker:"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Times(_Record):
    """Moments of one unit in one stage, in seconds since the epoch, in the order they happen."""

    queued: float
    taken: float
    fetched: float
    started: float
    ended: float
    filed: float


class Worker(_Record):
    """One model of one worker process."""

    stage: Stage
    model: str
    pool: str
    environment: str
    host: str
    process: int


class Work(Worker):
    """What one stage did on one window or reference; ``cached``: the output was there already."""

    part: Part
    index: int
    bytes_in: int
    bytes_out: int
    cached: bool
    times: Times

    def report(self) -> dict[str, Any]:
        """Return everything, with the seconds it waited, was moved and was worked on."""
        t = self.times
        seconds = {
            "waited": t.taken - t.queued + t.started - t.fetched,
            "moved": t.fetched - t.taken + t.filed - t.ended,
            "worked": t.ended - t.started,
        }
        return {**self.model_dump(), **{name: round(max(value, 0.0), 4) for name, value in seconds.items()}}

    def pack(self) -> tuple[str, str, str]:
        """Return the field of the worker, what it holds, and the line of this work; see :func:`unpack`."""
        name, worker = _named(tuple(getattr(self, field) for field in Worker.model_fields))
        moments = [round(getattr(self.times, field) * _STEPS) for field in Times.model_fields]
        later = [moment - moments[0] for moment in moments[1:]]
        line = [name, self.bytes_in, self.bytes_out, int(self.cached), moments[0], *later]
        return _WORKER + name, worker, " ".join(map(str, line))


@functools.lru_cache
def _named(facts: tuple[Any, ...]) -> tuple[str, str]:
    """Return a worker's name, a hash, and its facts; a process asks again and again for a few."""
    worker = Worker(**dict(zip(Worker.model_fields, facts, strict=True))).model_dump_json()
    return hashlib.blake2s(worker.encode(), digest_size=4).hexdigest(), worker


def unpack(trace: Mapping[bytes, bytes]) -> list[Work]:
    """Read fields of a trace, those of the workers among them; what was done again counts as it was done last."""
    fields = {name.decode(): value.decode() for name, value in trace.items()}
    workers = {
        name.removeprefix(_WORKER): Worker.model_validate_json(value)
        for name, value in fields.items()
        if name.startswith(_WORKER)
    }
    last = {
        (work.part, work.index, work.stage): work
        for name, value in fields.items()
        if not name.startswith(_WORKER)
        for work in _works(name, value, workers)
    }
    return list(last.values())


def when_filed(line: bytes) -> float:
    """Return when a stage filed its output, in seconds since the epoch."""
    queued, *_, filed = [int(number) for number in line.split(b" ")[4:]]
    return (queued + filed) / _STEPS


def _works(field: str, lines: str, workers: Mapping[str, Worker]) -> Iterator[Work]:
    part, index = field.split(":")
    for line in lines.splitlines():
        name, *numbers = line.split(" ")
        yield _read(cast("Part", part), int(index), workers[name], [int(number) for number in numbers])


def _read(part: Part, index: int, worker: Worker, numbers: list[int]) -> Work:
    bytes_in, bytes_out, cached, queued, *later = numbers
    moments = [moment / _STEPS for moment in (queued, *(queued + each for each in later))]
    return Work(
        **worker.model_dump(),
        part=part,
        index=index,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        cached=bool(cached),
        times=Times(**dict(zip(Times.model_fields, moments, strict=True))),
    )
