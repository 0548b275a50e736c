"""redis-server is killed with -9 and comes back, with what it had on disk or with nothing: no window is lost."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from faults import crew
from faults.load import Load, Outcome, convert
from limits.bench import Row, main, settings, urls
from servers import DURABLE, Server
from voxrelay.relay import keys
from voxrelay.relay.work import unpack

JOBS, WINDOWS, TIMES, GONE = 8, 10, 3, 2.0
BACK = 10.0  # seconds until work goes on, at most


@dataclass(frozen=True)
class Outage:
    """The undisturbed run, the other one, and after how many seconds work went on each time."""

    quiet: Outcome
    disturbed: Outcome
    back: list[float]


def durable(folder: Path, seed: int, *, jobs: int, windows: int, times: int) -> Outage:
    """Kill the one server that keeps everything, on disk."""
    with Server(folder / "redis", **DURABLE) as server:
        return _run(folder, seed, urls(server.url, server.url), server, server, jobs, windows, times)


def forgetful(folder: Path, seed: int, *, jobs: int, windows: int, times: int) -> Outage:
    """Kill the server of messages and tensors, which comes back empty; jobs are elsewhere, on disk."""
    with Server(folder / "jobs", **DURABLE) as store, Server(folder / "rest") as rest:
        return _run(folder, seed, urls(store.url, rest.url), rest, store, jobs, windows, times)


def _run(
    folder: Path, seed: int, where: dict[str, str], victim: Server, store: Server, jobs: int, windows: int, times: int
) -> Outage:
    load = Load.make(folder / "load", jobs, windows, seed)
    env = {**settings(folder), **where}
    with crew.proper(env):
        quiet = convert(load, env, folder / "quiet")
        found: list[Outcome] = []
        disturbed = threading.Thread(target=lambda: found.append(convert(load, env, folder / "disturbed")))
        done = _done(store)
        disturbed.start()
        back = []
        for time_number in range(1, times + 1):
            share = time_number / (times + 1)
            _until(lambda share=share: _done(store) - done > share * jobs * windows * 3, disturbed)  # type: ignore[misc]
            back.append(_break(victim, store))
        disturbed.join()
    return Outage(quiet, found[0], back)


def _break(victim: Server, store: Server) -> float:
    """Kill a server, start it again after a while, and return how long it then takes until work goes on."""
    victim.kill()
    time.sleep(GONE)
    victim.start()
    began, before = time.monotonic(), _done(store)
    while _done(store) == before:
        time.sleep(0.05)
    return time.monotonic() - began


def _done(store: Server) -> int:
    """Count what all stages have ever done."""
    jobs = redis.Redis.from_url(store.url)
    return sum(len(unpack(jobs.hgetall(keys.trace(raw.decode())))) for raw in jobs.zrange(keys.JOBS, 0, -1))


def _until(condition: Callable[[], bool], thread: threading.Thread) -> None:
    while thread.is_alive() and not condition():
        time.sleep(0.1)


def measure(folder: Path, seed: int) -> list[Row]:
    """Do both at full size."""
    rows = []
    for name, how in (("with AOF", durable), ("of messages and tensors only, which comes back empty,", forgetful)):
        own = folder / how.__name__
        own.mkdir()
        done = how(own, seed, jobs=JOBS, windows=WINDOWS, times=TIMES)
        differing = done.disturbed.differing(done.quiet)
        lost, doubled, back = done.disturbed.lost, done.disturbed.doubled, max(done.back)
        rows.append(
            Row(
                f"redis-server {name} killed with -9 {TIMES} times, started again after {GONE:.0f} s",
                f"0 lost, work goes on within {BACK:.0f} s",
                f"{lost} lost, {doubled} doubled, {differing} of {JOBS} outputs differ; work went on after "
                + ", ".join(f"{seconds:.1f}" for seconds in done.back)
                + " s",
                not (lost or doubled or differing) and back <= BACK and len(done.back) == TIMES,
                {"lost": lost, "doubled": doubled, "differing": differing, "back": done.back},
            )
        )
    return rows


if __name__ == "__main__":
    main(measure, __doc__ or "")
