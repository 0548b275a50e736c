"""The ledger of jobs in Redis: manifest, state, trace and events, all with a lifetime."""

import functools
import time
from collections.abc import Iterator
from typing import cast

from voxrelay.relay import keys
from voxrelay.relay.config import STAGES, Config, Stage
from voxrelay.relay.connect import Client
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import JOB_ID, Event, Manifest, Part
from voxrelay.relay.work import Work, unpack

# running -> done -> collected; running <-> paused; running -> failed, which can be resumed; any -> cancelled
ENDED = ("collected", "failed", "cancelled", "done")


class Ledger:
    """Reads and writes the records of jobs."""

    def __init__(self, jobs: Client, config: Config) -> None:
        self.jobs, self.config = jobs, config
        # Written once and never changed; a long job's is large and is asked for with every unit.
        self._manifest = functools.lru_cache(maxsize=256)(self._read_manifest)

    def manifest(self, job_id: str) -> Manifest:
        """Read a job's manifest.

        Raises:
            BadInputError: there is no such job, or its record has expired.

        """
        return self._manifest(job_id)

    def _read_manifest(self, job_id: str) -> Manifest:
        raw = self.jobs.hget(keys.job(job_id), "manifest") if JOB_ID.match(job_id) else None
        if raw is None:
            raise BadInputError(f"no job {job_id!r}", hint="job records are kept for lifetimes.jobs seconds")
        return Manifest.model_validate_json(raw)

    def state(self, job_id: str) -> str:
        """Read the state of a job; empty when there is no such job."""
        return (self.jobs.hget(keys.job(job_id), "state") or b"").decode()

    def summary(self, job_id: str) -> dict[str, str]:
        """Read state, times and error of a job."""
        raw = self.jobs.hgetall(keys.job(job_id))
        return {name.decode(): value.decode() for name, value in raw.items() if name != b"manifest"}

    def works(self, job_id: str) -> list[Work]:
        """Read the trace: references first, then windows, each in the order of the chain."""
        found = unpack(self.jobs.hgetall(keys.trace(job_id)))
        return sorted(found, key=lambda work: (work.part, work.index, STAGES.index(work.stage)))

    def result(self, job_id: str, index: int) -> bytes | None:
        """Read what a window became: bytes of a tensor, FLAC if it is sound, empty for a gap; None: not yet."""
        return cast("bytes | None", self.jobs.hget(keys.results(job_id), str(index)))

    def gaps(self, job_id: str) -> list[int]:
        """List the windows that were given up and became silence."""
        fields = [raw.decode() for raw in self.jobs.hkeys(keys.job(job_id))]
        return sorted(int(field.removeprefix("gap:")) for field in fields if field.startswith("gap:"))

    def done(self, job_id: str) -> list[tuple[Part, int, Stage]]:
        """List what stages have ended on which windows and references, in the order of the chain."""
        found = [(work.part, work.index, work.stage) for work in self.works(job_id)]
        return sorted(found, key=lambda ended: (ended[0], STAGES.index(ended[2]), ended[1]))

    def say(self, job_id: str, line: str) -> None:
        """Add a line to a job's log."""
        pipe = self.jobs.pipeline()
        pipe.rpush(keys.log(job_id), f"{time.time():.3f} {line}")
        pipe.expire(keys.log(job_id), self.config.lifetimes.jobs)
        pipe.execute()

    def log(self, job_id: str) -> list[tuple[float, str]]:
        """Read a job's log: moments in seconds since the epoch, and what happened."""
        lines = [raw.decode().split(" ", 1) for raw in self.jobs.lrange(keys.log(job_id), 0, -1)]
        return [(float(moment), line) for moment, line in lines]

    def recent(self, most: int) -> list[str]:
        """List the ids of jobs that still have a record, newest first."""
        found = [raw.decode() for raw in self.jobs.zrevrange(keys.JOBS, 0, most - 1)]
        return [job_id for job_id in found if self.jobs.exists(keys.job(job_id))]

    def forget(self, job_id: str) -> None:
        """Remove the record of a job that has ended."""
        self.jobs.delete(keys.job(job_id), keys.trace(job_id), keys.log(job_id))
        self.jobs.zrem(keys.JOBS, job_id)

    def follow(self, job_id: str, seconds: float) -> Iterator[Event | None]:
        """Yield events that come after this call; None whenever ``seconds`` pass without one."""
        newest = self.jobs.xrevrange(keys.events(job_id), count=1)
        return self._events(job_id, newest[0][0] if newest else b"0", seconds)

    def _events(self, job_id: str, last: bytes, seconds: float) -> Iterator[Event | None]:
        while True:
            found = self.jobs.xread({keys.events(job_id): last}, block=int(seconds * 1000), count=256)
            if not found:
                yield None
                continue
            for entry, raw in found[0][1]:
                last = entry
                yield Event.from_fields(raw)
