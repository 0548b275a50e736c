"""The desk of a pool: it takes a message, fetches the inputs, runs the model and files the result."""

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, cast, get_args

import redis
from celery import Celery
from celery.exceptions import Ignore

from voxrelay.relay.config import Config
from voxrelay.relay.connect import connect
from voxrelay.relay.dispatch import Dispatch, UnitId
from voxrelay.relay.errors import StageError, VoxError
from voxrelay.relay.job import JOB_ID, Link, Part, Times, Work
from voxrelay.workers.runtime.stage import Stage, Unit

log = logging.getLogger("voxrelay")


class Desk:
    """Handles the units of one pool. Threads fetch and file side by side; one at a time computes."""

    def __init__(self, config: Config, app: Celery, pool: str, stage: Stage, models: dict[str, Any]) -> None:
        self.config, self.pool, self.stage, self.models = config, pool, stage, models
        self.name = config.served_by(pool)[0]
        self.stores = connect(config.redis)
        self.dispatch = Dispatch(self.stores.jobs, app, config)
        self.ledger = self.dispatch.ledger
        self.held: set[UnitId] = set()
        self.host, self.process = socket.gethostname(), os.getpid()
        self._computing = threading.Lock()
        self.busy_since: float | None = None  # when the computation that runs began

    def handle(self, job: str, part: str, index: int, model: str, released: float) -> None:
        """Do the work of one message; a unit whose output exists is not computed again.

        Raises:
            VoxError: the unit could not be done; it is tried again, or its job has failed.
            Ignore: nobody waits for it any more.

        """
        unit = self._check(job, part, index, model)
        name = UnitId(job, unit.part, index)
        if not self.dispatch.take(name, f"{self.name}.{model} {self.host} {self.process}"):
            raise Ignore  # a message that was sent twice
        self.held.add(name)
        try:
            self._work(unit, model, released)
            if unit.manifest.links(unit.part)[-1].stage == self.name:
                self.dispatch.land(name)
            else:
                self.dispatch.pass_on(name)
        except (redis.RedisError, Ignore):
            raise  # not the unit's fault
        except VoxError as error:
            self.dispatch.fail(name, str(error))
            raise
        except Exception as error:
            self.dispatch.fail(name, f"{self.name}.{model} failed: {type(error).__name__}: {error}")
            raise
        finally:
            self.held.discard(name)

    def _check(self, job: str, part: str, index: int, model: str) -> Unit:
        """Hold a message against the job's manifest, the only truth."""
        if not JOB_ID.match(job) or self.ledger.state(job) != "running":
            raise Ignore
        manifest = self.ledger.manifest(job)
        count = len(manifest.windows if part == "window" else manifest.references)
        asked = Link(stage=self.name, model=model)
        if part not in get_args(Part) or not 0 <= index < count or asked not in manifest.chain:
            raise StageError(f"message for {self.name}.{model}, {part} {index} does not fit its job", where=job)
        if manifest.contract != self.config.contract:
            raise StageError("job was made under another contract", where=job, hint="same queues.yml on both sides")
        return Unit(manifest, cast("Part", part), index)

    def _work(self, unit: Unit, model: str, released: float) -> None:
        """Fetch, compute, file; each moment is kept for the trace."""
        taken, read = time.time(), 0

        def fetch(names: Sequence[str]) -> list[bytes]:
            nonlocal read
            blobs = self._fetch(unit, names)
            read += sum(map(len, blobs))
            return blobs

        cached = bool(self.stores.tensors.exists(unit.output_key(self.name)))
        item = None if cached else self.stage.read(unit, fetch)
        fetched = time.time()
        blob, started, ended = (b"", fetched, fetched) if cached else self._compute(unit, model, item)
        queued = self._queued(unit, released)
        times = Times(queued=queued, taken=taken, fetched=fetched, started=started, ended=ended, filed=time.time())
        self._file(unit, model, blob, read, times)

    def _compute(self, unit: Unit, model: str, item: object) -> tuple[bytes, float, float]:
        """Run the model on one item; return the output's bytes, and when it began and ended."""
        with self._computing:
            started = self.busy_since = time.time()
            try:
                output = self.stage.run(self.models[model], unit.part, [item])[0]
            finally:
                self.busy_since = None
            return output.to_bytes(), started, time.time()

    def _file(self, unit: Unit, model: str, blob: bytes, read: int, times: Times) -> None:
        """Write the output once, then the trace and the event that announces it; nothing for an ended job."""
        if self.ledger.state(unit.manifest.id) != "running":
            raise Ignore
        if blob:
            key = unit.output_key(self.name)
            self.stores.tensors.set(key, blob, nx=True, ex=self.config.lifetimes.tensors)
        work = Work(
            part=unit.part,
            index=unit.index,
            stage=self.name,
            model=model,
            pool=self.pool,
            environment=self.config.pools[self.pool].environment,
            host=self.host,
            process=self.process,
            bytes_in=read,
            bytes_out=len(blob),
            cached=not blob,
            times=times,
        )
        pipe = self.stores.jobs.pipeline()
        self.ledger.record(pipe, unit.manifest.id, work)
        pipe.execute()

    def _queued(self, unit: Unit, released: float) -> float:
        """Return when this unit was ready for this stage: as the stage before filed it."""
        stages = [link.stage for link in unit.manifest.links(unit.part)]
        before = stages.index(self.name) - 1
        filed = self.ledger.filed(unit.manifest.id, unit.part, unit.index, stages[before]) if before >= 0 else None
        return filed or released

    def _fetch(self, unit: Unit, names: Sequence[str]) -> list[bytes]:
        """Read tensors; one that is gone was collected, expired, or never prepared."""
        blobs = self.stores.tensors.mget(names)
        if missing := [name for name, blob in zip(names, blobs, strict=True) if blob is None]:
            hint = "expired, or its stage did not run"
            raise StageError(f"input {missing[0]} is not in Redis", where=str(unit), hint=hint)
        return cast("list[bytes]", blobs)
