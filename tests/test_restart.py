"""Pools are restarted under load: nothing fails, nothing is released again, no byte differs."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile
import yaml

from conftest import VOX, own_home, vox, vox_json

POOLS = ("mel", "vocoder")
SECONDS = 420


def test_a_restart_under_load_is_not_heard(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path, redis_server: str
) -> None:
    sound, rate = soundfile.read(male)
    soundfile.write(tmp_path / "in.wav", np.tile(sound, SECONDS * rate // len(sound)), rate)
    env = {**changed(settings, tmp_path), "REDIS_URL": redis_server}
    command = ["convert", str(tmp_path / "in.wav"), "--voice", str(female), "-o"]
    vox("up", env=env)
    try:
        vox(*command, tmp_path / "quiet.wav", env=env)
        before = processes(env)
        command = [str(VOX), *command, str(tmp_path / "restarted.wav"), "--json"]
        run = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)
        while not any(row["working_since"] for row in vox_json("worker", "health", "vocoder", env=env)["workers"]):
            assert run.poll() is None
        told = vox("restart", *POOLS, env=env).stderr
        works = json.loads(run.communicate()[0])["stages"]
        after = processes(env)
        health = vox_json("worker", "health", env=env)
    finally:
        vox("down", env=env)
    assert run.returncode == 0
    assert (tmp_path / "restarted.wav").read_bytes() == (tmp_path / "quiet.wav").read_bytes()
    for pool in before:
        assert (after[pool] != before[pool]) == (pool in POOLS)
        assert (f"{pool}: process {before[pool]} has left" in told) == (pool in POOLS)
        worked = {work["process"] for work in works if work["pool"] == pool and work["part"] == "window"}
        assert worked == {before[pool], after[pool]}  # the old one and the new one in the same job
    assert {row["process"] for row in health["workers"]} == set(after.values())
    logs = "".join(path.read_text() for path in (tmp_path / "home" / "logs").iterdir())
    assert "is warm" in logs
    for trouble in ("released again", "Traceback", "failed", "ERROR"):
        assert trouble not in logs, logs


def changed(settings: dict[str, str], folder: Path, toy: str = "") -> dict[str, str]:
    """Return the settings with a home, a ``queues.yml`` and a toy model of a test's own."""
    shipped = Path(settings["VOXRELAY_CONFIG"])
    config = yaml.safe_load(shipped.read_text())
    config["limits"]["source"] = 2 * SECONDS
    (folder / "queues.yml").write_text(yaml.safe_dump(config))
    (folder / "toy.py").write_text(toy or shipped.with_name("toy.py").read_text())
    return {**settings, **own_home(folder), "VOXRELAY_CONFIG": str(folder / "queues.yml")}


def processes(env: dict[str, str]) -> dict[str, int]:
    """Return the process of each pool."""
    return {row["pool"]: row["process"] for row in vox_json("ps", env=env)["workers"]}


def test_a_new_process_that_fails_leaves_the_old_one_serving(
    settings: dict[str, str], male: Path, tmp_path: Path, redis_server: str
) -> None:
    env = {**changed(settings, tmp_path), "REDIS_URL": redis_server}
    assert "vox up" in vox("restart", env=env, code=5).stderr
    vox("up", "content", env=env)
    try:
        before = processes(env)
        assert "pool mel: does not run on this machine" in vox("restart", "mel", env=env, code=5).stderr
        (tmp_path / "toy.py").write_text("raise SystemExit('broken')")
        said = vox("restart", env=env, code=5).stderr
        assert "broken" in said
        assert "the old process serves on" in said
        assert processes(env) == before
        vox("stage", "content", male, "-o", tmp_path / "c.safetensors", env=env)
        (tmp_path / "toy.py").write_text(Path(settings["VOXRELAY_CONFIG"]).with_name("toy.py").read_text())
        assert vox_json("restart", env=env) == {"restarted": ["content"]}
        assert processes(env) != before
    finally:
        vox("down", env=env)


def test_sigterm_lets_a_worker_finish(settings: dict[str, str], male: Path, tmp_path: Path, redis_server: str) -> None:
    slow = "import time\n" + Path(settings["VOXRELAY_CONFIG"]).with_name("toy.py").read_text()
    slow = slow.replace("        frames =", "        time.sleep(6)\n        frames =")
    env = {**changed(settings, tmp_path, slow), "REDIS_URL": redis_server}
    vox("up", "content", env=env)
    sound, rate = soundfile.read(male)
    soundfile.write(tmp_path / "in.wav", sound[: 3 * rate], rate)  # one window
    command = [
        VOX,
        "stage",
        "content",
        str(tmp_path / "in.wav"),
        "--model",
        "toy",
        "-o",
        str(tmp_path / "c.safetensors"),
    ]
    run = subprocess.Popen(command, env={**os.environ, **env})
    while not any(row["working_since"] for row in vox_json("worker", "health", env=env)["workers"]):
        assert run.poll() is None
        time.sleep(0.1)
    began = time.monotonic()
    vox("down", env=env)
    assert time.monotonic() - began > 1  # it was not cut off
    assert run.wait(60) == 0
    assert (tmp_path / "c.safetensors").exists()
