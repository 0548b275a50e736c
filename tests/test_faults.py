"""Workers are killed while they hold a lease: nothing is lost, nothing is doubled, no byte differs."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import redis
import soundfile

from conftest import VOX, vox, vox_json

KILLS = 4


def test_windows_of_killed_workers_are_done_again(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path, redis_server: str
) -> None:
    sound, rate = soundfile.read(male)
    soundfile.write(tmp_path / "in.wav", np.tile(sound, 3), rate)
    env = {**settings, "REDIS_URL": redis_server}
    arguments = ["convert", str(tmp_path / "in.wav"), "--voice", str(female), "-o"]
    vox("up", env=env)
    try:
        quiet = vox_json(*arguments, tmp_path / "quiet.wav", env=env)
        client = redis.Redis.from_url(redis_server)
        for key in client.scan_iter("vox:voice:*"):
            client.delete(key)
        run = subprocess.Popen([VOX, *arguments, str(tmp_path / "killed.wav")], env={**os.environ, **env})
        killed = kill_holders(client, run, random.Random(0))  # noqa: S311 - a seed
        assert run.wait(240) == 0
    finally:
        vox("down", env=env)
    assert killed == KILLS
    assert (tmp_path / "killed.wav").read_bytes() == (tmp_path / "quiet.wav").read_bytes()
    assert [work for work in quiet["stages"] if work["part"] == "window"]


def kill_holders(client: redis.Redis, run: subprocess.Popen[bytes], chance: random.Random) -> int:
    """Kill workers, each while it holds the lease of a unit, until enough were killed or the run has ended."""
    killed: set[int] = set()
    while len(killed) < KILLS and run.poll() is None:
        for key in client.scan_iter("vox:lease:*"):
            holder = client.get(key)
            process = int(holder.split()[-1]) if isinstance(holder, bytes) else 0
            if process and process not in killed and chance.random() < 0.5:
                os.kill(process, signal.SIGKILL)
                killed.add(process)
                time.sleep(0.5)
                break
    return len(killed)
