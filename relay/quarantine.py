"""Quarantine: units that were given up, kept with their input and the reason until somebody decides."""

from dataclasses import dataclass

from voxrelay.relay import keys, scripts
from voxrelay.relay.dispatch import Dispatch, UnitId
from voxrelay.relay.errors import BadInputError


@dataclass(frozen=True)
class Dead:
    """One unit that was given up; ``sound``: what it should have converted, as FLAC."""

    unit: UnitId
    stage: str
    error: str
    time: float
    sound: bytes


class Quarantine:
    """The units that were given up, of all jobs."""

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch, self.jobs, self.config = dispatch, dispatch.jobs, dispatch.config
        self._drop = self.jobs.register_script(scripts.DROP)

    def all(self) -> list[Dead]:
        """List them, oldest first."""
        units = [UnitId.parse(raw) for raw in self.jobs.zrange(keys.DEAD, 0, -1)]
        return [found for unit in units if (found := self._read(unit))]

    def of(self, job: str) -> list[Dead]:
        """List those of one job.

        Raises:
            BadInputError: it has none.

        """
        found = [dead for dead in self.all() if dead.unit.job == job]
        if not found:
            raise BadInputError(f"no window of {job!r} was given up", hint="vox dead list")
        return found

    def retry(self, job: str) -> list[Dead]:
        """Forget what a job's units failed of, and let it go on with them.

        Raises:
            BadInputError: it has none, or its record is gone.

        """
        found = self.of(job)
        if self.dispatch.ledger.state(job) != "failed":
            raise BadInputError(f"{job} goes on without them already", hint="submit it again to have them converted")
        self._forget(found)
        self.jobs.delete(keys.failures(job))
        self.dispatch.resume(job)
        return found

    def drop(self, job: str) -> list[Dead]:
        """Leave silence in their place; a failed job goes on.

        Raises:
            BadInputError: it has none, or a reference is among them: without its voice a job cannot go on.

        """
        found = self.of(job)
        failed = self.dispatch.ledger.state(job) == "failed"
        if failed and any(dead.unit.part == "reference" for dead in found):
            raise BadInputError(
                f"{job} lacks a part of its voice", hint=f"vox dead retry {job}, or vox job cancel {job}"
            )
        self._forget(found)
        if failed:
            for dead in found:
                self._drop(args=[job, dead.unit.index, self.config.lifetimes.voices])
            self.dispatch.resume(job)
        return found

    def _read(self, unit: UnitId) -> Dead | None:
        raw = self.jobs.hgetall(keys.dead(str(unit)))
        if not raw:
            return None
        text = {name.decode(): value.decode() for name, value in raw.items() if name != b"input"}
        return Dead(unit, text["stage"], text["error"], float(text["time"]), raw[b"input"])

    def _forget(self, found: list[Dead]) -> None:
        pipe = self.jobs.pipeline()
        for dead in found:
            pipe.delete(keys.dead(str(dead.unit)))
            pipe.zrem(keys.DEAD, str(dead.unit))
        pipe.execute()
