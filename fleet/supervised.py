"""The supervisor of this machine, as commands see it: through the folder that it keeps its state in."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxrelay.relay import config as configuration
from voxrelay.relay import home
from voxrelay.relay.config import Config, Redis
from voxrelay.relay.errors import UnavailableError

POLL_SECONDS = 0.05
STOP_SECONDS = 20


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

    def use(self) -> None:
        """Say that it is in use, though no job runs yet."""
        (self.folder / "used").touch()

    def want(self, pools: Iterable[str]) -> None:
        """Ask for pools."""
        (self.folder / "wanted").mkdir(exist_ok=True)
        for pool in pools:
            (self.folder / "wanted" / pool).touch()

    def ask_restart(self, pool: str, asked: str) -> str:
        """Ask for new processes of a pool; ``asked`` tells this request from others."""
        self._ask("restart", pool, asked)
        return asked

    def ask_size(self, pool: str, size: int) -> None:
        """Ask for so many processes of a pool."""
        self._ask("scale", pool, str(size))

    def _ask(self, kind: str, pool: str, text: str) -> None:
        (self.folder / kind).mkdir(exist_ok=True)
        partial = self.folder / f"{kind}-{pool}-{os.getpid()}"
        partial.write_text(text)
        partial.replace(self.folder / kind / pool)

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
            env={**os.environ, **_in_full()},
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

    def stop(self, seconds: float = STOP_SECONDS + 15) -> bool:
        """End it once its pools have finished what they compute; returns whether there was one."""
        if not self.alive or not (process := self.state().get("process")):
            return False
        os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return True


def identity(config: Config) -> str:
    """Hash what tells the relays of this user apart: their places and their configuration."""
    places = [str(place) for place in (home.home(), home.models(), configuration.config_file())]
    # Whichever models a job chains, the same pools serve them.
    text = json.dumps([*places, config.model_dump(mode="json", exclude={"profile", "profiles"})])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def store_folder(config: Config) -> Path:
    """Return where the jobs of the private relay are kept; it is there while there are any."""
    return home.home() / "relay" / identity(config)


def shared_supervisor(config: Config) -> Supervised:
    """Return the supervisor that all commands with this configuration share, running or not."""
    folder = Path(tempfile.gettempdir()) / f"voxrelay-{os.getuid()}-{identity(config)}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnavailableError("is not this user's alone", where=str(folder), hint="remove it")
    return Supervised(folder)


def _in_full() -> dict[str, str]:
    """Return the variables that name a file or a folder without regard to where we are: others are elsewhere."""
    names = [f"VOXRELAY_{one}" for one in ("CONFIG", "HOME", "MODELS", "VOICES", "REDIS_PASSWORD_FILE")]
    return {name: str(Path(os.environ[name]).expanduser().absolute()) for name in names if os.environ.get(name)}
