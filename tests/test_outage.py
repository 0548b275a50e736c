"""Redis is killed and comes back: workers say so meanwhile, and consume again by themselves."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import own_home, vox, vox_json
from servers import DURABLE, Server, Wire


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "redis", **DURABLE) as made:
        yield made


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
        # each process asks and tells every few seconds, on its own
        while "unreachable" in vox("worker", "health", env=env, code=None).stdout:
            assert time.time() - back < 120
        vox("worker", "health", env=env)
    finally:
        vox("down", env=env)


def test_a_connection_that_silently_went_dead_is_noticed(
    settings: dict[str, str], male: Path, tmp_path: Path, server: Server
) -> None:
    wire = Wire(server.socket)
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
