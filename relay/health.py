"""How the worker processes of this machine are: each says so in a file, which is read without Redis or Celery."""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from voxrelay.relay import home

State = Literal["starting", "ready", "working", "unreachable", "leaving"]
FRESH_SECONDS = 15


class Health(BaseModel):
    """What one worker process said of itself; ``unreachable``: Redis does not answer it."""

    model_config = ConfigDict(frozen=True)

    pool: str
    process: int
    host: str
    state: State
    working_since: float | None
    time: float

    @classmethod
    def of_this_process(cls, pool: str, state: State, working_since: float | None) -> "Health":
        """Describe the process that calls this, now."""
        return cls(
            pool=pool,
            process=os.getpid(),
            host=socket.gethostname(),
            state=state,
            working_since=working_since,
            time=time.time(),
        )

    @property
    def path(self) -> Path:
        """Where it stands."""
        return folder() / f"{self.pool}-{self.process}.json"

    def write(self) -> None:
        """Write it so that readers see it whole."""
        folder().mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(self.model_dump_json())
        partial.replace(self.path)

    def trouble(self, stuck: float, *, live: bool) -> str:
        """Return what keeps this worker from being live, or unless ``live``, ready; empty if nothing does."""
        now = time.time()
        if now - self.time > FRESH_SECONDS:
            return f"has said nothing for {now - self.time:.0f} s"
        if self.working_since is not None and now - self.working_since > stuck:
            return f"has computed for {now - self.working_since:.0f} s"
        return "" if live or self.state in {"ready", "working"} else f"is {self.state}"


def folder() -> Path:
    """Return where the files stand."""
    return home.home() / "health"


def found() -> list[Health]:
    """Read the workers of this machine; files of processes that are no more are removed."""
    workers = []
    for path in sorted(folder().glob("*.json")):
        try:
            worker = Health.model_validate_json(path.read_text())
        except (FileNotFoundError, ValidationError):  # it has just left; or the disk was full
            continue
        if worker.host != socket.gethostname():
            continue
        if _alive(worker.process):
            workers.append(worker)
        else:
            path.unlink(missing_ok=True)
    return workers


def forget(pool: str, process: int) -> bool:
    """Remove the file of a worker that has ended; return whether it had got as far as serving."""
    path = folder() / f"{pool}-{process}.json"
    try:
        state = Health.model_validate_json(path.read_text()).state
    except (FileNotFoundError, ValidationError):
        return False
    path.unlink(missing_ok=True)
    return state != "starting"


def troubles(workers: Sequence[Health], pools: Sequence[str], stuck: float, *, live: bool) -> list[str]:
    """Return what is wrong with some pools, by default those that have workers here.

    Args:
        workers: what was found.
        pools: the pools in question.
        stuck: seconds after which a computation will not end any more.
        live: ask that every worker is live, whether it can serve now or not; else that a pool has a ready one.

    """
    if not workers and not pools:
        return ["no worker runs here"]
    wrong = []
    for pool in pools or sorted({worker.pool for worker in workers}):
        mine = [worker for worker in workers if worker.pool == pool]
        said = [(worker, worker.trouble(stuck, live=live)) for worker in mine]
        bad = [f"pool {pool}: process {worker.process} {trouble}" for worker, trouble in said if trouble]
        if not mine:
            wrong.append(f"pool {pool}: no worker runs here")
        elif live or len(bad) == len(mine):
            wrong += bad
    return wrong


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
