"""Workers for a test: those of ``vox up``, or careless ones that it starts itself."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from conftest import vox
from voxrelay.fleet import environments
from voxrelay.relay import config as configuration
from voxrelay.relay import presence

POOLS = ("speaker", "content", "mel", "vocoder")


@contextmanager
def proper(env: Mapping[str, str]) -> Iterator[None]:
    """Have ``vox`` keep the pools."""
    vox("up", env=dict(env))
    try:
        yield
    finally:
        vox("down", env=dict(env))


@contextmanager
def careless(env: Mapping[str, str]) -> Iterator[None]:
    """Have careless workers, each started again when it dies."""
    leaving, processes = threading.Event(), {pool: _start(pool, env) for pool in POOLS}

    def watch() -> None:
        while not leaving.wait(0.1):
            for pool, process in processes.items():
                if process.poll() is not None:
                    processes[pool] = _start(pool, env)

    watching = threading.Thread(target=watch)
    try:
        jobs = redis.Redis.from_url(configuration.load(env).redis.jobs or "")
        while not {worker.pool for worker in presence.present(jobs)}.issuperset(POOLS):
            time.sleep(0.1)
        watching.start()
        yield
    finally:
        leaving.set()
        if watching.ident:
            watching.join()
        for process in processes.values():
            process.kill()
            process.wait()


def _start(pool: str, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    found = environments.find(pool)
    script = Path(__file__).with_name("careless.py")
    variables = {**os.environ, **environments.variables(found, 1), **env}
    return subprocess.Popen([str(found.python), "-P", str(script), pool], env=variables, stderr=subprocess.DEVNULL)
