"""Redis is killed and comes back: workers say so meanwhile, and consume again by themselves."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from conftest import own_home, vox, vox_json
from voxrelay.fleet.server import find_redis_server


class Server:
    """A redis-server with an append-only file, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.url = folder, f"unix://{folder}/shared.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.folder / "shared.sock").unlink(missing_ok=True)
        settings = ["--port", "0", "--unixsocket", f"{self.folder}/shared.sock", "--save", "", "--appendonly", "yes"]
        command = [str(find_redis_server()), *settings, "--appendfsync", "always", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                redis.Redis.from_url(self.url).ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_workers_ride_out_an_outage(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path, server: Server, seconds: float
) -> None:
    env = {**settings, **own_home(tmp_path), "REDIS_URL": server.url}
    arguments = ["convert", male, "--voice", female, "-o"]
    vox("up", env=env)
    try:
        vox(*arguments, tmp_path / "before.wav", env=env)
        before = {row["process"] for row in vox_json("ps", env=env)["workers"]}
        server.kill()
        time.sleep(seconds)
        if seconds > 10:  # by then every worker has tried
            assert "unreachable" in vox("worker", "health", env=env, code=5).stdout
        vox("worker", "health", "--live", env=env)
        server.start()
        back = time.time()
        while len(vox_json("ps", env=env)["workers"]) < len(before):
            assert time.time() - back < 60
        done = vox_json(*arguments, tmp_path / "after.wav", env=env)
        assert {work["process"] for work in done["stages"]} <= before
        waited = {work["stage"]: work["times"]["taken"] - back for work in done["stages"] if not work["index"]}
        assert min(waited.values()) < 10 + seconds / 4, waited
        assert (tmp_path / "after.wav").read_bytes() == (tmp_path / "before.wav").read_bytes()
        vox("worker", "health", env=env)
    finally:
        vox("down", env=env)


class Wire:
    """A way to a Redis over TCP that can be cut without either end being told."""

    def __init__(self, path: str) -> None:
        self.path, self.cut = path, threading.Event()
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def go_silent(self) -> None:
        """Let nothing pass any more on the connections that are there; new ones are served."""
        self.cut.set()
        self.cut = threading.Event()

    def _accept(self) -> None:
        while True:
            near, _address = self.listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.path)
            self.ends += [near, far]  # they stay open
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, target, self.cut), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if cut.is_set():
                    return
                target.sendall(data)
        target.close()


def test_a_connection_that_silently_went_dead_is_noticed(
    settings: dict[str, str], male: Path, tmp_path: Path, server: Server
) -> None:
    wire = Wire(f"{server.folder}/shared.sock")
    env = {**settings, **own_home(tmp_path), "REDIS_URL": wire.url}
    vox("up", "content", env=env)
    try:
        vox("stage", "content", male, "-o", tmp_path / "before.safetensors", env=env)
        process = vox_json("ps", env=env)["workers"][0]["process"]
        wire.go_silent()
        began = time.monotonic()
        done = vox("stage", "content", male, "-o", tmp_path / "after.safetensors", env=env)
        seconds = time.monotonic() - began
        assert (tmp_path / "after.safetensors").read_bytes() == (tmp_path / "before.safetensors").read_bytes()
        assert vox_json("ps", env=env)["workers"][0]["process"] == process
        assert 3 < seconds < 45, done.stderr
    finally:
        vox("down", env=env)
