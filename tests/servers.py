"""A redis-server of a test's own, and a wire to it that can be cut."""

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

import redis

from voxrelay.fleet.server import find_redis_server

FORGETFUL = {"save": ""}
DURABLE = {"save": "", "appendonly": "yes", "appendfsync": "always"}


class Server:
    """A redis-server on a socket in a folder, to be killed and started again; it never evicts."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        settings = {"port": "0", "unixsocket": str(self.socket), "dir": str(folder), **(settings or FORGETFUL)}
        settings |= {"maxmemory-policy": "noeviction"}
        self.command = [
            str(find_redis_server()),
            *(part for name in settings for part in (f"--{name}", settings[name])),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        while self.process.poll() is None:
            with contextlib.suppress(redis.RedisError):
                redis.Redis.from_url(self.url).ping()
                return
            time.sleep(0.02)
        raise ChildProcessError(self.command)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Wire:
    """A way to a Redis over TCP that can be cut without either end being told."""

    def __init__(self, path: Path) -> None:
        self.path, self.cut = path, threading.Event()
        self.ends: list[socket.socket] = []
        self._whole = threading.Event()
        self._whole.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def go_silent(self) -> None:
        """Let nothing pass any more on the connections that are there; new ones are served."""
        self.cut.set()
        self.cut = threading.Event()

    def part(self, seconds: float) -> None:
        """Let nothing pass for so long, on connections old or new; the old ones never come back."""
        self._whole.clear()
        self.go_silent()
        time.sleep(seconds)
        self._whole.set()

    def _accept(self) -> None:
        while True:
            near, _address = self.listener.accept()
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._whole.wait()
        far = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):  # no server just now
            far.connect(str(self.path))
            self.ends += [near, far]  # they stay open
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, target, self.cut), daemon=True).start()
            return
        near.close()

    def _pass(self, source: socket.socket, target: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if cut.is_set():
                    return
                target.sendall(data)
        target.close()
