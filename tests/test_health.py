"""How workers are is said by files alone: ready, live, stuck, gone."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import VOX, own_home, vox, vox_json
from voxrelay.fleet import environments
from voxrelay.relay import health
from voxrelay.relay.health import Health

STUCK = 300


@pytest.fixture(autouse=True)
def own_files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the files of a test apart, unless it looks at the session's relay."""
    if "relay" not in request.fixturenames:
        monkeypatch.setenv("VOXRELAY_HOME", str(tmp_path))


def worker(*, silent: float = 0, computing: float | None = None, **fields: Any) -> Health:
    """Describe a worker that is ready, but for some fields; ``silent`` and ``computing`` in seconds until now."""
    now = time.time()
    times = {"time": now - silent, "working_since": None if computing is None else now - computing}
    return Health.of_this_process("mel", "ready", None).model_copy(update={**times, **fields})


@pytest.mark.parametrize(
    ("fields", "ready", "live"),
    [
        ({}, "", ""),
        ({"state": "working", "computing": 0}, "", ""),
        ({"state": "starting"}, "is starting", ""),
        ({"state": "unreachable"}, "is unreachable", ""),
        ({"state": "leaving", "computing": 0}, "is leaving", ""),
        ({"silent": 20}, "has said nothing for 20 s", "has said nothing for 20 s"),
        ({"state": "working", "computing": 400}, "has computed for 400 s", "has computed for 400 s"),
    ],
)
def test_a_worker_is_ready_or_live_or_neither(fields: dict[str, Any], ready: str, live: str) -> None:
    one = worker(**fields)
    one.write()
    for said, expected in ((one.trouble(STUCK, live=False), ready), (one.trouble(STUCK, live=True), live)):
        assert said == "" if not expected else said.startswith(expected[:-4]), said
    assert bool(health.troubles(health.found(), [], STUCK, live=False)) == bool(ready)
    assert bool(health.troubles(health.found(), [], STUCK, live=True)) == bool(live)


def test_one_ready_worker_is_enough_but_every_one_must_live() -> None:
    good, bad = worker(), worker(process=1, computing=400)
    assert health.troubles([good, bad], ["mel"], STUCK, live=False) == []
    assert len(health.troubles([good, bad], ["mel"], STUCK, live=True)) == 1
    assert health.troubles([good], ["mel", "content"], STUCK, live=True) == ["pool content: no worker runs here"]
    assert health.troubles([], [], STUCK, live=True) == ["no worker runs here"]


def test_files_of_dead_processes_are_swept_and_those_of_other_machines_left() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, elsewhere, mine = worker(process=ended.pid), worker(process=2, host="elsewhere"), worker()
    for each in (dead, elsewhere, mine):
        each.write()
    assert health.found() == [mine]
    assert not dead.path.exists()
    assert elsewhere.path.exists()


def test_the_workers_of_a_relay_are_healthy(relay: dict[str, str], tmp_path: Path) -> None:
    found = vox_json("worker", "health", env=relay)
    assert found["ok"]
    assert {"speaker", "content", "mel", "vocoder"} <= {row["pool"] for row in found["workers"]}
    assert "mel" in vox("worker", "health", "mel", "--live", env=relay).stdout
    empty = {**relay, **own_home(tmp_path)}
    assert "no worker runs here" in vox("worker", "health", "mel", env=empty, code=5).stderr
    assert "no pool 'nope'" in vox("worker", "health", "nope", env=relay, code=4).stderr


def test_an_image_without_vox_asks_the_runtime(relay: dict[str, str], tmp_path: Path) -> None:
    empty = own_home(tmp_path)
    for home, flag, code in (({}, "--health", 0), ({}, "--live", 0), (empty, "--health", 5)):
        command = environments.worker_command(environments.find("mel"), "mel", flag)
        env = {**os.environ, **relay, **home}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr


def test_pools_farther_from_the_sound_yield_to_those_nearer(relay: dict[str, str]) -> None:
    rows, ours = vox_json("ps", env=relay)["workers"], os.getpriority(os.PRIO_PROCESS, 0)
    yielded = {row["pool"]: os.getpriority(os.PRIO_PROCESS, row["process"]) - ours for row in rows}
    assert yielded["content"] > yielded["mel"] > yielded["vocoder"] == 0


def test_a_worker_that_died_is_not_healthy_until_it_is_back(relay: dict[str, str]) -> None:
    rows = vox_json("ps", env=relay)["workers"]
    process = next(row["process"] for row in rows if row["pool"] == "content")
    os.kill(process, signal.SIGKILL)
    time.sleep(0.2)
    assert process not in {row["process"] for row in health_of("content", relay)["workers"]}
    deadline = time.monotonic() + 90
    while not (now := health_of("content", relay))["ok"]:
        assert time.monotonic() < deadline, now
        time.sleep(0.3)
    assert not list(health.folder().glob(f"content-{process}.json"))


def health_of(pool: str, env: dict[str, str]) -> Any:
    """Ask for the health of a pool, whatever it is."""
    command = [VOX, "worker", "health", pool, "--json"]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 5}, done.stderr
    return json.loads(done.stdout)
