"""Pools are restarted under load: nothing fails, nothing is released again, no byte differs."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile

from conftest import VOX, own_home, vox, vox_json

POOLS = ("mel", "vocoder")


def test_a_restart_under_load_is_not_heard(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path, redis_server: str
) -> None:
    sound, rate = soundfile.read(male)
    soundfile.write(tmp_path / "in.wav", np.tile(sound, 30 * rate // len(sound)), rate)
    env = {**settings, **own_home(tmp_path), "REDIS_URL": redis_server}
    arguments = ["convert", str(tmp_path / "in.wav"), "--voice", str(female), "--json", "-o"]
    vox("up", env=env)
    try:
        vox(*arguments, tmp_path / "quiet.wav", env=env)
        before = processes(env)
        told = restart_while_converting(arguments, tmp_path / "restarted.wav", env)
        after = processes(env)
        health = vox_json("worker", "health", env=env)
    finally:
        vox("down", env=env)
    assert (tmp_path / "restarted.wav").read_bytes() == (tmp_path / "quiet.wav").read_bytes()
    for pool in before:
        assert (after[pool] != before[pool]) == (pool in POOLS)
        assert (f"{pool}: process {before[pool]} has left" in told) == (pool in POOLS)
    assert {row["process"] for row in health["workers"]} == set(after.values())
    logs = "".join(path.read_text() for path in (tmp_path / "home" / "logs").iterdir())
    assert "is warm" in logs
    for trouble in ("released again", "Traceback", "failed", "ERROR"):
        assert trouble not in logs, logs


def restart_while_converting(arguments: list[str], output: Path, env: dict[str, str]) -> str:
    """Convert again and again while pools are restarted, the last time to ``output``; return what was told."""
    command = [VOX, "restart", *POOLS]
    run = subprocess.Popen(command, env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)
    during = 0
    while run.poll() is None:
        vox(*arguments, output, env=env)
        during += 1
    assert during
    told = run.communicate()[1]
    assert run.returncode == 0, told
    return told


def processes(env: dict[str, str]) -> dict[str, int]:
    """Return the process of each pool."""
    return {row["pool"]: row["process"] for row in vox_json("ps", env=env)["workers"]}


def test_a_new_process_that_fails_leaves_the_old_one_serving(
    settings: dict[str, str], male: Path, tmp_path: Path, redis_server: str
) -> None:
    for name in ("queues.yml", "toy.py"):
        (tmp_path / name).write_text(Path(settings["VOXRELAY_CONFIG"]).with_name(name).read_text())
    env = {**settings, **own_home(tmp_path), "REDIS_URL": redis_server, "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}
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
    config = Path(settings["VOXRELAY_CONFIG"]).read_text()
    (tmp_path / "queues.yml").write_text(config)
    (tmp_path / "toy.py").write_text(slow)
    env = {**settings, **own_home(tmp_path), "REDIS_URL": redis_server, "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}
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
