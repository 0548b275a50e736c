"""Dispatch: which unit of which job is released when, and who has it.

A unit is one window or one reference of a job. What is still to be done stands in the job's record;
a Celery message is only a hint that can be sent again. Units that were released are *in flight*
until their last stage is done; a worker that has one holds its *lease*. A unit that is overdue and
has no live lease is released again: that covers a dead worker, a lost queue and a delayed retry.

Units in flight are bounded; a job that has fewer of them goes before one that has more.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from voxrelay.relay import chain, keys, scripts
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.connect import Stores
from voxrelay.relay.job import Manifest, Part
from voxrelay.relay.ledger import Ledger
from voxrelay.relay.work import Work, when_filed

# Units in flight until a reconciler has counted the workers.
FIRST_ROOM = 6
LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class UnitId:
    """One window or reference of one job."""

    job: str
    part: Part
    index: int

    def __str__(self) -> str:
        return f"{self.job}|{self.part}|{self.index}"

    @classmethod
    def parse(cls, raw: bytes) -> "UnitId":
        """Read what ``str`` wrote."""
        job, part, index = raw.decode().split("|")
        return cls(job, cast("Part", part), int(index))


@dataclass(frozen=True)
class Lease:
    """A unit that a worker has.

    ``only``: the worker had no other and computes them singly, and it is noted that it has it alone. ``alone``: it must
    not share a batch, for a worker has died with it. ``passed``: how often a stage was done with it. ``filed``: when
    one last filed its output of it, in seconds since the epoch, if any did.
    """

    unit: UnitId
    holder: str
    only: bool
    alone: bool
    passed: int
    filed: float | None


class Dispatch:
    """Releases units and keeps track of them; producer and workers share what it writes."""

    def __init__(self, stores: Stores, config: Config) -> None:
        self.stores, self.jobs, self.config = stores, stores.jobs, config
        self.ledger = Ledger(stores.jobs, config)
        names = "RELEASE TAKE BEGIN COUNT PASS LAND GIVE_UP OVERDUE HURRY PREPARE PAUSE RESUME RENEW END"
        self._scripts = {name: self.jobs.register_script(getattr(scripts, name)) for name in names.split()}

    def release(self) -> None:
        """Release as many units as there is room for."""
        for raw in self._run("RELEASE", *self._room()):
            self._send(UnitId.parse(raw))

    def take(self, unit: UnitId, holder: str, *, only: bool) -> Lease | None:
        """Take the lease of a unit; None: its message is to be dropped.

        So it is if the unit has landed or is held by another, and if its job does not run. ``only``: the worker has
        no other and never computes several at once; then what it dies with is noted here, and :meth:`begin` has
        nothing to add.
        """
        answer, trace = self._run("TAKE", unit, holder, self.config.timeouts.lease, int(only))
        if not answer:
            return None
        alone = answer == 2  # noqa: PLR2004 - the script says so
        lines = trace.splitlines()
        filed = when_filed(lines[-1]) if lines else None
        return Lease(unit, holder, only=only, alone=alone, passed=len(lines), filed=filed)

    def begin(self, leases: Sequence[Lease]) -> bool:
        """Note which units are computed, and whether together: what a worker died with counts if it was alone.

        Returns:
            Whether any of their jobs runs, as far as is known.

        """
        if len(leases) == 1 and leases[0].only:
            return True  # as was noted a moment ago
        how = "alone" if len(leases) == 1 else "batched"
        units = [lease.unit for lease in leases]
        return bool(self._run("BEGIN", f"{how} {leases[0].holder}", *units))

    def renew(self, leases: Sequence[Lease]) -> None:
        """Renew leases."""
        pipe = self.jobs.pipeline()
        for lease in leases:
            pipe.expire(keys.lease(str(lease.unit)), self.config.timeouts.lease)
        pipe.execute()

    def pass_on(self, lease: Lease, work: Work) -> bool:
        """Give a unit's lease up after a stage: the next one has the usual patience to take it.

        Returns:
            False if another worker has taken the lease over, or the job has ended.

        """
        facts = (work.stage, *work.pack())
        return bool(self._run("PASS", lease.unit, lease.holder, self.config.timeouts.patience, *facts))

    def land(self, lease: Lease, work: Work, output: bytes) -> None:
        """File a unit's last output, once: it is in flight no more, and others are released."""
        facts = (work.stage, *work.pack())
        for raw in self._run("LAND", lease.unit, *facts, output, self.config.lifetimes.voices, *self._room()):
            self._send(UnitId.parse(raw))

    def fail(self, lease: Lease, stage: Stage, error: str) -> bool:
        """Count a failure of a unit that was computed alone; whether it is tried again later, not given up."""
        if failures := self._forgive(lease.unit, stage, error):
            self._wait(lease, failures)
        return bool(failures)

    def postpone(self, lease: Lease, stage: Stage, error: str) -> bool:
        """Let a unit wait for something that was not there; endless waits become failures, as ``fail`` tells."""
        waits = self._count(lease.unit, f"{lease.unit}|waits")
        if waits > self.config.limits.retries:
            return self.fail(lease, stage, error)
        self.ledger.say(lease.unit.job, f"{lease.unit.part} {lease.unit.index} waits: {error}")
        self._wait(lease, waits)
        return True

    def prepare(self, lease: Lease, stage: Stage, references: Sequence[int], error: str) -> bool:
        """Have lost references prepared again, and then the window that missed them; endless waits become failures.

        It leaves the flight meanwhile: windows that all wait for references would leave no room for those.
        """
        if self._count(lease.unit, f"{lease.unit}|waits") > self.config.limits.retries:
            return self.fail(lease, stage, error)
        self._run("PREPARE", lease.unit, *references)
        self.release()
        return True

    def reconcile(self) -> list[UnitId]:
        """Release overdue units again, and whatever else there is room for; returns the overdue ones."""
        found = self._run("OVERDUE", self.config.timeouts.patience)
        units = [UnitId.parse(raw) for raw in found[::2]]
        for unit, holder in zip(units, found[1::2], strict=True):
            if self._worth_sending(unit, holder.decode()):
                self._send(unit)
        self.release()
        return units

    def hurry(self) -> None:
        """Messages were lost: let everything be overdue that nobody holds."""
        self._run("HURRY")

    def missing(self, manifest: Manifest) -> list[int]:
        """Return the references of a job that are not prepared, and keep the others for a while."""
        pipe = self.stores.tensors.pipeline()
        names = [manifest.reference_keys(index) for index in range(len(manifest.references))]
        for name in [name for group in names for name in group]:
            pipe.expire(name, self.config.lifetimes.voices)
        there = iter(pipe.execute())
        complete = [sum(next(there) for _ in group) == len(group) for group in names]
        return [index for index, whole in enumerate(complete) if not whole]

    def pause(self, job: str) -> bool:
        """Take a running job's units out of flight and out of turn; whether it ran."""
        return bool(self._run("PAUSE", job))

    def resume(self, job: str) -> bool:
        """Let a paused or failed job go on with the windows that have no result; whether it was either."""
        manifest = self.ledger.manifest(job)
        resumed = bool(self._run("RESUME", job, *self.missing(manifest)))
        self.release()
        return resumed

    def end(self, job: str, state: str, error: str = "") -> None:
        """End a job for good: everything but its record goes at once."""
        manifest = self.ledger.manifest(job)
        self._run("END", job, state, error, self.config.lifetimes.voices)
        names = [key for index in range(len(manifest.windows)) for key in manifest.window_keys(index)]
        if names:
            self.stores.tensors.delete(*names)
        self.release()

    def renew_job(self, job: str) -> None:
        """Keep a running job, and the sounds of its voice, for another lifetime."""
        self._run("RENEW", job)

    def renew_voices(self) -> None:
        """Keep the prepared voices of jobs that have units in flight."""
        pipe = self.stores.tensors.pipeline()
        for job in {UnitId.parse(raw).job for raw in self.jobs.zrange(keys.FLIGHT, 0, -1)}:
            for name in self.ledger.manifest(job).voice_keys():
                pipe.expire(name, self.config.lifetimes.voices)
        pipe.execute()

    def _room(self) -> tuple[float, int]:
        """Return what a release goes by: patience, and how many units may be in flight if nobody has counted."""
        return self.config.timeouts.patience, self.config.limits.in_flight or FIRST_ROOM

    def _worth_sending(self, unit: UnitId, holder: str) -> bool:
        """Whether an overdue unit is sent again; one that its worker died with has failed if it was alone."""
        how, _, who = holder.partition(" ")
        if how == "batched":
            self._count(unit, str(unit), by=0)  # from now on alone
        return how != "alone" or bool(self._forgive(unit, cast("Stage", who.split(".")[0]), f"its worker died: {who}"))

    def _forgive(self, unit: UnitId, stage: Stage, error: str) -> int:
        """Count a failure and return how many there were; 0 if they are too many: then the unit is given up."""
        failures = self._count(unit, str(unit))
        if not failures:
            return 0  # its job has ended
        if failures < self.config.limits.failures:
            self.ledger.say(unit.job, f"{unit.part} {unit.index} failed: {error}")
            return failures
        gaps = int(self.ledger.manifest(unit.job).allow_gaps)
        self._run("GIVE_UP", unit, stage, error, gaps, self.config.lifetimes.voices)
        self.release()
        return 0

    def _count(self, unit: UnitId, field: str, by: int = 1) -> int:
        return int(self._run("COUNT", unit, field, by))

    def _wait(self, lease: Lease, times: int) -> None:
        """Give a lease up; the reconciler sends the unit again after a time that grows and is spread."""
        seconds = random.uniform(0.5, 1.0) * min(2.0 ** (times - 1) / 2, LONGEST_WAIT)  # noqa: S311 - spreads load
        self._run("PASS", lease.unit, lease.holder, seconds)

    def _run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - each script has its own answer
        plain = [part if isinstance(part, bytes) else str(part) for part in arguments]
        return self._scripts[script](args=plain)

    def _send(self, unit: UnitId) -> None:
        message = chain.first(self.ledger.manifest(unit.job), unit.part, unit.index)
        self.stores.broker.lpush(message.queue, message.raw)
