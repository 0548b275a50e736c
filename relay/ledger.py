"""The ledger of jobs in Redis: manifest, state, trace and events, all with a lifetime."""

import functools
import time
from collections.abc import Iterator
from typing import Literal

from voxrelay.relay import keys
from voxrelay.relay.config import STAGES, Config, Stage
from voxrelay.relay.connect import Client
from voxrelay.relay.errors import BadInputError, StageError
from voxrelay.relay.job import JOB_ID, Event, Manifest, Part, Work, trace_field

State = Literal["running", "done", "failed", "cancelled"]


class Ledger:
    """Reads and writes the records of jobs."""

    def __init__(self, jobs: Client, config: Config) -> None:
        self.jobs, self.config = jobs, config
        # Written once and never changed; a long job's is large and is asked for with every unit.
        self._manifest = functools.lru_cache(maxsize=256)(self._read_manifest)

    def open(self, pipe: Client, manifest: Manifest, counts: dict[str, int]) -> None:
        """Write a new job and its counts of what is still to be done."""
        now = time.time()
        fields = {"manifest": manifest.model_dump_json(), "state": "running", "created": now, "updated": now}
        pipe.hset(keys.job(manifest.id), mapping={**fields, **counts})
        pipe.expire(keys.job(manifest.id), self.config.lifetimes.jobs)
        pipe.zadd(keys.ACTIVE, {manifest.id: now})

    def fail(self, job_id: str, error: StageError) -> None:
        """Fail a running job and tell whoever follows it."""
        pipe = self.jobs.pipeline()
        pipe.hset(keys.job(job_id), mapping={"state": "failed", "error": str(error), "updated": time.time()})
        self.tell(pipe, job_id, Event("window", 0, "speaker", str(error)))
        pipe.execute()

    def close(self, job_id: str, state: State, error: str = "") -> None:
        """Write how a job ended; its record stays for ``lifetimes.jobs`` seconds."""
        pipe = self.jobs.pipeline()
        pipe.hset(keys.job(job_id), mapping={"state": state, "error": error, "finished": time.time()})
        for key in (keys.job(job_id), keys.trace(job_id)):
            pipe.expire(key, self.config.lifetimes.jobs)
        pipe.delete(keys.events(job_id))
        pipe.zrem(keys.ACTIVE, job_id)
        pipe.execute()

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
        found = [Work.model_validate_json(raw) for raw in self.jobs.hvals(keys.trace(job_id))]
        return sorted(found, key=lambda work: (work.part, work.index, STAGES.index(work.stage)))

    def record(self, pipe: Client, job_id: str, work: Work) -> None:
        """Add a finished unit to the trace and tell whoever follows the job."""
        pipe.hset(keys.trace(job_id), work.field, work.model_dump_json())
        pipe.hset(keys.job(job_id), "updated", work.times.filed)
        self.tell(pipe, job_id, Event(work.part, work.index, work.stage, error=""))
        pipe.expire(keys.trace(job_id), self.config.lifetimes.jobs)

    def tell(self, pipe: Client, job_id: str, event: Event) -> None:
        """Add an event to the job's stream."""
        pipe.xadd(keys.events(job_id), event.to_fields())
        pipe.expire(keys.events(job_id), self.config.lifetimes.jobs)

    def filed(self, job_id: str, part: Part, index: int, stage: Stage) -> float | None:
        """Return when a stage filed its output of a unit, if it did."""
        raw = self.jobs.hget(keys.trace(job_id), trace_field(part, index, stage))
        return Work.model_validate_json(raw).times.filed if raw else None

    def follow(self, job_id: str, seconds: float) -> Iterator[Event | None]:
        """Yield events as they come, from the first; None whenever ``seconds`` pass without one."""
        last = "0"
        while True:
            found = self.jobs.xread({keys.events(job_id): last}, block=int(seconds * 1000), count=256)
            if not found:
                yield None
                continue
            for entry, raw in found[0][1]:
                last = entry
                yield Event.from_fields(raw)
