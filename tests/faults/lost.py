"""Careless workers are killed: windows must be lost, or the other tests would show nothing; proper ones find them."""

import time
from dataclasses import dataclass
from pathlib import Path

import redis

from faults import crew
from faults.killer import KINDS, Killer
from faults.load import Load, landings
from limits.bench import Row, main, settings
from servers import Server
from voxrelay import Conversion, Producer
from voxrelay.relay import config as configuration
from voxrelay.relay import keys

WINDOWS, KILLS, PAUSE = 40, 8, 1.0
_SETTLED = 3  # seconds in which nobody has a unit, and none waits


@dataclass(frozen=True)
class Lost:
    """How many windows careless workers lost, and the outputs: completed by proper workers, and undisturbed.

    ``endless``: what would stay in Redis for ever if nobody ever came back.
    """

    kills: int
    windows: int
    endless: list[str]
    completed: bytes
    quiet: bytes


def run(folder: Path, seed: int, *, windows: int, kills: int, pause: float) -> Lost:
    """Convert a recording with careless workers that are killed, then have proper ones complete it."""
    load = Load.make(folder / "load", 1, windows, seed)
    with Server(folder / "redis") as server:
        env = {
            **settings(folder, {"timeouts": {"lease": 5, "patience": 10, "visibility": 10}}),
            "REDIS_URL": server.url,
        }
        jobs = redis.Redis.from_url(server.url)
        producer = Producer(configuration.load(env))
        with crew.careless(env):
            conversion = producer.submit(load.sources[0], str(load.voices[0]))
            killer = Killer(jobs, kills, seed, pause, [kind for kind in KINDS if kind[1] == "window"])
            killer.start()
            _settle(jobs, conversion)
            killer.stopping.set()
            killer.join()
            lost = windows - len(landings(jobs, conversion.job))
        endless = [key.decode() for key in jobs.scan_iter(match="vox:*") if jobs.ttl(key) < 0]
        with crew.proper(env):
            completed = _fetch(conversion, folder / "completed.wav")
            quiet = _fetch(producer.submit(load.sources[0], str(load.voices[0])), folder / "quiet.wav")
    return Lost(sum(killer.hits.values()), lost, endless, completed, quiet)


def _settle(jobs: redis.Redis, conversion: Conversion) -> None:
    """Wait until the job is done, or nobody works on it any more and no message is left."""
    queues = [keys.queue(link.stage, link.model) for link in conversion.manifest.chain]
    idle = 0
    while conversion.state == "running" and idle < _SETTLED:
        time.sleep(1)
        held = any(True for _ in jobs.scan_iter(match="vox:lease:*", count=1000)) or jobs.exists("unacked")
        idle = 0 if held or any(jobs.llen(queue) for queue in queues) else idle + 1


def _fetch(conversion: Conversion, output: Path) -> bytes:
    with conversion:
        conversion.fetch(output)
    return output.read_bytes()


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size."""
    done = run(folder, seed, windows=WINDOWS, kills=KILLS, pause=PAUSE)
    same = done.completed == done.quiet
    found = f"{done.kills} kills: {done.windows} windows lost; proper workers then complete the job, " + (
        "byte-identical" if same else "**which differs**"
    )
    return [
        Row(
            f"{WINDOWS} windows, early acknowledgement and no reconciler, `kill -9` of workers that held a lease",
            "windows are lost",
            found,
            done.windows > 0 and same,
            {"kills": done.kills, "lost": done.windows, "identical": same},
        )
    ]


if __name__ == "__main__":
    main(measure, __doc__ or "")
