"""Workers, or the client, are cut off from Redis for a while, and nobody tells them: no window is lost."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from faults import crew
from faults.load import Load, Outcome, convert
from limits.bench import Row, main, settings
from servers import Server, Wire
from voxrelay.relay import keys

JOBS, WINDOWS, SECONDS = 4, 10, 15.0


@dataclass(frozen=True)
class Partition:
    """The undisturbed run and the other one."""

    quiet: Outcome
    disturbed: Outcome


def run(folder: Path, seed: int, who: str, *, jobs: int, windows: int, seconds: float) -> Partition:
    """Convert a load twice, the second time while ``workers`` or the ``client`` are cut off for a while."""
    load = Load.make(folder / "load", jobs, windows, seed)
    with Server(folder / "redis") as server:
        env, wire = settings(folder), Wire(server.socket)
        direct, wired = {**env, "REDIS_URL": server.url}, {**env, "REDIS_URL": wire.url}
        with crew.proper(wired if who == "workers" else direct):
            client = wired if who == "client" else direct
            quiet = convert(load, client, folder / "quiet")
            found: list[Outcome] = []
            disturbed = threading.Thread(target=lambda: found.append(convert(load, client, folder / "disturbed")))
            store = redis.Redis.from_url(server.url)
            known = store.zcard(keys.JOBS)
            disturbed.start()
            while store.zcard(keys.JOBS) == known or not store.exists(keys.FLIGHT):
                time.sleep(0.05)
            time.sleep(1)
            wire.part(seconds)
            disturbed.join()
    return Partition(quiet, found[0])


def measure(folder: Path, seed: int) -> list[Row]:
    """Do both at full size."""
    rows = []
    for who in ("workers", "client"):
        own = folder / who
        own.mkdir()
        done = run(own, seed, who, jobs=JOBS, windows=WINDOWS, seconds=SECONDS)
        lost, doubled, differing = done.disturbed.lost, done.disturbed.doubled, done.disturbed.differing(done.quiet)
        rows.append(
            Row(
                f"{who} cut off from Redis for {SECONDS:.0f} s, by a wire that goes silent",
                "0 lost",
                f"{lost} lost, {doubled} doubled, {differing} of {JOBS} outputs differ",
                not (lost or doubled or differing),
                {"lost": lost, "doubled": doubled, "differing": differing},
            )
        )
    return rows


if __name__ == "__main__":
    main(measure, __doc__ or "")
