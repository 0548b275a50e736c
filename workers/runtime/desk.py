"""The desk of a pool: it takes a message, fetches the inputs, has the model run and files the result."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast, get_args

import redis
from celery.exceptions import Ignore

from voxrelay.relay import flac
from voxrelay.relay.chain import Message
from voxrelay.relay.config import Config
from voxrelay.relay.connect import connect
from voxrelay.relay.dispatch import Dispatch, Lease, UnitId
from voxrelay.relay.errors import BadInputError, MissingError, StageError, VoxError
from voxrelay.relay.job import Link, Part
from voxrelay.relay.refused import put_aside
from voxrelay.relay.tensors import Audio, Tensor
from voxrelay.relay.work import Times, Work
from voxrelay.workers.runtime.batcher import Batcher, Outcome
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.logs import about
from voxrelay.workers.runtime.metrics import Metrics
from voxrelay.workers.runtime.pace import Pace
from voxrelay.workers.runtime.stage import Stage, SurveyingStage, Unit

log = logging.getLogger("voxrelay")
Next = Callable[[], Message | None]


class Desk:
    """Handles the units of one pool. Threads fetch and file side by side; their items meet in a batcher."""

    def __init__(self, config: Config, pool: str, stage: Stage, models: dict[str, Any]) -> None:
        self.config, self.pool, self.stage, self.models = config, pool, stage, models
        self._surveying = stage if isinstance(stage, SurveyingStage) else None
        self.name = config.served_by(pool)[0]
        self.stores = connect(config.redis)
        self.dispatch = Dispatch(self.stores, config)
        self.ledger = self.dispatch.ledger
        self.held: dict[UnitId, Lease] = {}
        self.host, self.process = socket.gethostname(), os.getpid()
        self._holding = threading.Lock()
        self.pace, self.metrics = Pace(), Metrics(config, pool)
        settings = config.pools[pool]
        self.batcher = Batcher(settings.batch, settings.wait, self._begin)

    def handle(self, job: str, part: str, index: int, model: str, released: float, onward: Next) -> None:
        """Do the work of one message; a unit whose output exists is not computed again.

        ``onward`` takes the message of the next stage from Celery, so that it goes out with the output.

        Raises:
            VoxError: the unit could not be done; it is tried again, or its job has failed.
            Ignore: nobody waits for it any more.

        """
        unit = self._check(job, part, index, model)
        named = {"job": job, "part": part, "index": index, "stage": self.name, "model": model}
        with about(**named), self._lease(UnitId(job, unit.part, index), model) as lease:
            try:
                self._work(unit, model, released, lease, onward)
            except (redis.RedisError, Ignore):
                raise  # not the unit's fault: it is overdue when the lease has run out
            except MissingError as error:
                self._postpone(unit, lease, model, error)
                raise
            except VoxError as error:
                self._fail(lease, model, str(error))
                raise
            except Exception as error:
                self._fail(lease, model, f"{self.name}.{model}: {type(error).__name__}: {error}")
                raise

    def refuse(self, found: str, raw: bytes, reason: str) -> None:
        """Put a message aside that the gate refused: counted, logged, and listed by ``vox dead list``."""
        self.metrics.refused()
        log.warning("refused a message of %d bytes in %s: %s", len(raw), found, reason)
        try:
            put_aside(self.stores.jobs, self.pool, found, raw, reason, self.config.lifetimes.jobs)
        except redis.RedisError as error:
            log.warning("it was not put aside: %s", error)

    @contextmanager
    def _lease(self, name: UnitId, model: str) -> Iterator[Lease]:
        """Hold a unit's lease; a message that was sent twice is dropped."""
        with self._holding:
            lease = None
            if name not in self.held:
                only = not self.held and self.batcher.batch == 1  # in a batch it might not stay so
                lease = self.dispatch.take(name, f"{self.name}.{model} {self.host} {self.process}", only=only)
            if lease is None:
                raise Ignore
            self.held[name] = lease
        try:
            yield lease
        finally:
            del self.held[name]

    def _check(self, job: str, part: str, index: int, model: str) -> Unit:
        """Hold a message against the job's manifest, the only truth; one that does not fit is dropped."""
        try:
            manifest = self.ledger.manifest(job)
        except BadInputError as error:
            raise Ignore from error
        count = len(manifest.windows if part == "window" else manifest.references)
        asked = Link(stage=self.name, model=model)
        if part not in get_args(Part) or not 0 <= index < count or asked not in manifest.chain:
            raise StageError(f"message for {self.name}.{model}, {part} {index} does not fit its job", where=job)
        if manifest.contract != self.config.contract:
            raise StageError("job was made under another contract", where=job, hint="same queues.yml on both sides")
        return Unit(manifest, cast("Part", part), index)

    def _work(self, unit: Unit, model: str, released: float, lease: Lease, onward: Next) -> None:
        """Fetch, compute, file; each moment is kept for the trace."""
        taken, last = time.time(), unit.manifest.links(unit.part)[-1].stage == self.name
        inputs = Inputs(self.stores, self.config, unit)
        if self._surveying:
            self._surveying.survey(unit, inputs, self.models[model])
        cached, outcome, fetched = self._is_cached(unit, lease, last=last), None, taken
        if not cached:
            with self.batcher.arrival():
                item = self.stage.read(unit, inputs, self.models[model])
                fetched = time.time()
                outcome = self._compute(unit, model, item, lease)
        blob = _packed(outcome.output) if outcome else b""
        started, ended = (outcome.started, outcome.ended) if outcome else (fetched, fetched)
        first = unit.manifest.links(unit.part)[0].stage == self.name
        queued = released if first else lease.filed or released
        work = self._record(
            unit,
            model,
            bytes_in=inputs.bytes_read,
            bytes_out=len(blob),
            cached=cached,
            times=Times(queued=queued, taken=taken, fetched=fetched, started=started, ended=ended, filed=time.time()),
        )
        self._tell(unit, work, outcome)
        if not last:
            if not self.dispatch.pass_on(lease, work):
                raise Ignore  # the chain goes on from whoever has the unit now, if anybody
            self._file(unit, blob, inputs.beside, onward())
        elif unit.part == "reference":
            self._file(unit, blob, inputs.beside, None)
            self.dispatch.land(lease, work, b"")
        else:
            self.dispatch.land(lease, work, blob)
            if not unit.manifest.keep:
                self.stores.tensors.delete(*unit.manifest.window_keys(unit.index))

    def _is_cached(self, unit: Unit, lease: Lease, *, last: bool) -> bool:
        """Whether this output was filed before; then the unit only passes through."""
        if last and unit.part == "window":
            return False
        before = [link.stage for link in unit.manifest.links(unit.part)].index(self.name)
        if not unit.shared(self.name) and lease.passed <= before:
            return False  # it is here for the first time: Redis need not be asked
        return bool(self.stores.tensors.exists(unit.output_key(self.name)))

    def _compute(self, unit: Unit, model: str, item: object, lease: Lease) -> Outcome:
        """Have the model run, with others of the same kind; nothing for a job that has ended meanwhile."""

        def run(items: Sequence[Any]) -> Sequence[Tensor]:
            with self.pace.computing():
                return self.stage.run(self.models[model], unit.part, items)

        bucket = (model, unit.part, self.stage.bucket(item))
        return self.batcher.compute(run, item, bucket, ticket=lease, alone=lease.alone)

    def _begin(self, leases: Sequence[Lease]) -> None:
        """Note what is computed now; nothing is if all its jobs have ended."""
        if not self.dispatch.begin(leases):
            raise Ignore

    def _file(self, unit: Unit, blob: bytes, beside: Mapping[str, bytes], onward: Message | None) -> None:
        """Write an output once, what belongs to it, and then the message of the stage that reads it."""
        lifetime = self.config.lifetimes.voices if unit.shared(self.name) else self.config.lifetimes.tensors
        together, writing = self.stores.broker is self.stores.tensors, self.stores.tensors.pipeline(transaction=False)
        for name, facts in beside.items():
            writing.set(name, facts, ex=lifetime)
        if blob:
            writing.set(unit.output_key(self.name), blob, nx=True, ex=lifetime)
        if onward and together:
            writing.lpush(onward.queue, onward.raw)
        writing.execute()
        if onward and not together:
            self.stores.broker.lpush(onward.queue, onward.raw)

    def _record(self, unit: Unit, model: str, **facts: Any) -> Work:  # noqa: ANN401 - fields of Work
        return Work(
            part=unit.part,
            index=unit.index,
            stage=self.name,
            model=model,
            pool=self.pool,
            environment=self.config.pools[self.pool].environment,
            host=self.host,
            process=self.process,
            **facts,
        )

    def _tell(self, unit: Unit, work: Work, outcome: Outcome | None) -> None:
        """Count a unit that was done, and log it."""
        self.pace.count()
        self.metrics.ended(unit, work, outcome.together if outcome else 0)
        if log.isEnabledFor(logging.INFO):
            report = work.report()
            log.info("done", extra={"about": {name: report[name] for name in ("waited", "moved", "worked")}})

    def _fail(self, lease: Lease, model: str, error: str) -> None:
        """Count a failure: the unit is tried again or given up."""
        log.warning("%s failed: %s", lease.unit, error)
        self.metrics.failed(model)
        if self.dispatch.fail(lease, self.name, error):
            self.metrics.retried(model)

    def _postpone(self, unit: Unit, lease: Lease, model: str, error: MissingError) -> None:
        """Have what is lost made again: parts of the voice now, the window's own when it is sent again."""
        if unit.part == "window" and (lost := self.dispatch.missing(unit.manifest)):
            again = self.dispatch.prepare(lease, self.name, lost, str(error))
        else:
            again = self.dispatch.postpone(lease, self.name, str(error))
        if again:
            self.metrics.retried(model)


def _packed(output: Tensor) -> bytes:
    """Return an output as it is written. Sound at rest is FLAC."""
    return flac.pack(output.data, output.rate) if isinstance(output, Audio) else output.to_bytes()
