"""The relay that a command uses: pools on this machine, or a shared Redis with pools anywhere."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxrelay.fleet import environments
from voxrelay.relay import config as configuration
from voxrelay.relay import home, presence
from voxrelay.relay.config import Config, Redis
from voxrelay.relay.connect import client
from voxrelay.relay.errors import UnavailableError
from voxrelay.relay.job import Link

Note = Callable[[str], None]
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Supervised:
    """A supervisor on this machine, seen through its folder."""

    folder: Path

    @property
    def alive(self) -> bool:
        """Whether it holds its lock."""
        try:
            with (self.folder / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def state(self) -> dict[str, Any]:
        """Read its state; empty before it wrote one."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def want(self, pools: Iterable[str]) -> None:
        """Ask for pools."""
        (self.folder / "wanted").mkdir(exist_ok=True)
        for pool in pools:
            (self.folder / "wanted" / pool).touch()

    def start(self, *, cold: bool) -> subprocess.Popen[bytes]:
        """Start the process; ``cold``: it ends when its standard input closes."""
        (self.folder / "state.json").unlink(missing_ok=True)
        command = [
            sys.executable,
            "-P",
            "-m",
            "voxrelay.fleet.supervisor",
            str(self.folder),
            *(["--cold"] if cold else []),
        ]
        log = (self.folder / "supervisor.log").open("ab")
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE if cold else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )

    def redis(self, seconds: float = 20) -> Redis:
        """Wait until its Redis is there.

        Raises:
            UnavailableError: it does not come up.

        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.state()
            if "redis" in state and self.alive:
                return Redis.model_validate(state["redis"])
            if "error" in state:
                raise UnavailableError(state["error"], where="local relay")
            time.sleep(POLL_SECONDS)
        raise UnavailableError("the local relay does not start", where=str(self.folder / "supervisor.log"))

    def stop(self, seconds: float = 20) -> bool:
        """End it; returns whether there was one."""
        if not self.alive or not (process := self.state().get("process")):
            return False
        os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return True


def shared_supervisor(config: Config) -> Supervised:
    """Return the supervisor that all commands with this configuration share, running or not."""
    places = [str(place) for place in (home.home(), home.models(), configuration.config_file())]
    identity = json.dumps([*places, config.model_dump(mode="json")])
    name = f"voxrelay-{os.getuid()}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnavailableError("is not this user's alone", where=str(folder), hint="remove it")
    return Supervised(folder)


def running_redis(config: Config) -> Redis | None:
    """Return the Redis of the relay in use: the one named, else that of a private relay, if one runs."""
    if config.redis.shared:
        return config.redis
    supervised = shared_supervisor(config)
    return supervised.redis() if supervised.alive else None


def jobs_redis(config: Config, note: Note) -> Redis | None:  # noqa: ARG001
    """Return the Redis whose jobs can be looked at."""
    return running_redis(config)


@contextmanager
def relay(config: Config, chain: Sequence[Link], *, cold: bool, note: Note) -> Iterator[Config]:
    """Provide a relay that serves the models of ``chain``; yields the configuration with its Redis URLs.

    ``cold`` brings up pools (and without a Redis URL, a Redis) for this alone and takes them down
    after. Otherwise a shared Redis is used as it is, and a private relay is left warm.

    Raises:
        UnavailableError: Redis, an environment, a pool or a model is not to be had.

    """
    if config.redis.shared and not cold:
        require(config, chain)
        yield config
        return
    pools = [config.model(link.stage, link.model).pool for link in chain]
    environments.ensure(config, config.environments(pools), note)
    if not cold:
        private = warm(config, pools, note)
        require(private, chain)
        yield private
        return
    supervised = Supervised(Path(tempfile.mkdtemp(prefix="voxrelay-")))
    process = supervised.start(cold=True)
    try:
        supervised.want(pools)
        private = config.model_copy(update={"redis": supervised.redis()})
        await_pools(private, supervised, pools, note)
        require(private, chain)
        yield private
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()


def warm(config: Config, pools: list[str], note: Note, *, stay: bool = False) -> Config:
    """Bring up what is missing of the shared local relay and leave it there; ``stay``: also when idle."""
    supervised = shared_supervisor(config)
    if not supervised.alive:
        supervised.start(cold=False)
    private = config.model_copy(update={"redis": supervised.redis()})
    if stay:
        (supervised.folder / "stay").touch()
    supervised.want(pools)
    await_pools(private, supervised, pools, note)
    return private


def await_pools(config: Config, supervised: Supervised, pools: list[str], note: Note) -> None:
    """Wait until every pool has a worker that is ready.

    Raises:
        UnavailableError: one has failed, or the time is up.

    """
    jobs = client(config.redis.jobs or "")
    deadline = time.monotonic() + config.timeouts.start
    told = False
    while time.monotonic() < deadline:
        state = supervised.state()
        mine = {entry["process"]: entry["pool"] for entry in state.get("pools", [])}
        ready = {p.pool for p in presence.present(jobs) if p.process in mine}
        if missing := [pool for pool in pools if pool not in ready]:
            _raise_failed(state, missing)
            if not told:
                told = True
                note(f"starting {', '.join(missing)}")
            time.sleep(POLL_SECONDS)
        else:
            return
    raise UnavailableError(f"not ready after {config.timeouts.start:.0f} s", where=f"pools {', '.join(missing)}",
                           hint=f"see the logs in {home.logs()}")  # fmt: skip


def _raise_failed(state: dict[str, Any], pools: list[str]) -> None:
    for entry in state.get("pools", []):
        if entry["pool"] in pools and entry["error"]:
            raise UnavailableError(entry["error"], where=f"pool {entry['pool']}", hint=f"see {entry['log']}")


def require(config: Config, chain: Sequence[Link]) -> None:
    """Check that workers are there for every model of a chain.

    Raises:
        UnavailableError: one is not served; the models that are, are named.

    """
    served = presence.served(client(config.redis.jobs or ""))
    pools = {config.model(stage, model).pool for stage, model in served}
    where = configuration.mask(config.redis.broker) or ""
    missing = [link for link in chain if (link.stage, link.model) not in served]
    idle = sorted({config.model(x.stage, x.model).pool for x in missing} - pools)
    if idle:
        hint = f"on a machine that shall serve it: vox up {' '.join(idle)}"
        raise UnavailableError(f"no worker of pool {', '.join(idle)}", where=where, hint=hint)
    if missing:
        names = ", ".join(f"{link.stage}.{link.model}" for link in missing)
        there = ", ".join(sorted(f"{stage}.{model}" for stage, model in served))
        hint = f"served are {there}; a model without its weights is not: they belong in {home.models()}"
        raise UnavailableError(f"no worker serves {names}", where=where, hint=hint)
