"""A batch on three hosts, Redis on one and workers on two: one of those is cut off, and the batch ends complete."""

import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import redis
import typer

import networks
from conftest import own_home, vox_json
from faults import crew
from limits.bench import CLIPS, Bench, Row, main, settings, speech, write
from networks import Network
from servers import DURABLE, Server
from voxrelay.relay import config as configuration
from voxrelay.relay.ledger import Ledger

RECORDINGS, SECONDS = 60, 4.0  # each of one window
SETTLED = 1.0  # seconds after the cut until what was on its way has come or is lost


@dataclass(frozen=True)
class Cut:
    """What came of it.

    ``lost`` recordings have no output, ``surplus`` jobs were submitted, ``differing`` outputs are not those of a
    batch that nothing disturbed; units that each host did ``before`` the cut and ``after``; ``seconds`` from it
    to the end.
    """

    lost: int
    surplus: int
    differing: int
    before: Counter[str]
    after: Counter[str]
    seconds: float


def run(folder: Path, seed: int, *, recordings: int) -> Cut:
    """Convert a folder by ``north`` and ``south``; after a quarter of it ``south`` is cut off until all is done."""
    sources, out = folder / "sources", folder / "out"
    sources.mkdir()
    for number in range(recordings):
        write(sources / f"{number:02}.wav", speech(SECONDS, seed + number))
    voice = write(folder / "voice.wav", speech(6, seed, CLIPS[1:]))
    with Network(["redis", "north", "south"]) as network, ExitStack() as stack:
        address = network.addresses["redis"]
        server = Server(folder / "redis", **DURABLE, port="6379", bind=address, **{"protected-mode": "no"})
        with network.on("redis"):
            stack.enter_context(server)
        env = {**settings(folder), "REDIS_URL": f"redis://{address}:6379/0"}
        hosts: dict[int, str] = {}
        for host in ("north", "south"):
            (folder / host).mkdir()
            stack.enter_context(network.on(host))
            stack.enter_context(crew.proper({**env, **own_home(folder / host)}))
            hosts |= {row["process"]: host for row in vox_json("ps", env=env)["workers"] if row["process"] not in hosts}
        config = configuration.load(env)
        bench = Bench(folder, env, config, redis.Redis.from_url(server.url), None)
        command = ("batch", sources, "--voice", voice, "--json", "-o")
        with network.on("redis"):
            batch = bench.start(*command, out, stdout=subprocess.PIPE)
        while len(list(out.glob("*.wav"))) < recordings / 4:
            assert batch.poll() is None
            time.sleep(0.05)
        with network.without("south"):
            moment = time.time()
            said = batch.communicate()[0]
            seconds = time.time() - moment
        assert batch.returncode == 0, said
        filed = _filed(bench, hosts)
        jobs = len(Ledger(bench.jobs, config).recent(10 * recordings))
        with network.on("redis"):
            assert bench.start(*command, folder / "quiet", stdout=subprocess.DEVNULL).wait() == 0
        outputs = {path.name: path.read_bytes() for path in out.glob("*.wav")}
        return Cut(
            lost=recordings - len(outputs),
            surplus=jobs - recordings,
            differing=sum((folder / "quiet" / name).read_bytes() != sound for name, sound in outputs.items()),
            before=Counter(host for when, host in filed if when < moment),
            after=Counter(host for when, host in filed if when >= moment + SETTLED),
            seconds=seconds,
        )


def _filed(bench: Bench, hosts: dict[int, str]) -> list[tuple[float, str]]:
    """Return when each unit was done, and by which host; what was done again counts as it was done last."""
    ledger = Ledger(bench.jobs, bench.config)
    works = [work for job in ledger.recent(1000) for work in ledger.works(job)]
    return [(work.times.filed, hosts[work.process]) for work in works]


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size, where this machine has namespaces."""
    if without := networks.missing():
        typer.echo(f"no namespaces: {without}", err=True)
        return []
    done = run(folder, seed, recordings=RECORDINGS)
    alone = not done.after["south"] and min(done.before["north"], done.before["south"]) > 0
    return [
        Row(
            f"a batch of {RECORDINGS} recordings on two hosts, Redis on a third (network namespaces); one is cut off",
            "the batch ends complete",
            f"{done.lost} lost, {done.surplus} jobs too many, {done.differing} outputs differ; units by the two hosts "
            f"before {done.before['north']} and {done.before['south']}, after {done.after['north']} and "
            f"{done.after['south']}",
            not (done.lost or done.surplus or done.differing) and alone,
            {"before": done.before, "after": done.after, "seconds": done.seconds},
        )
    ]


if __name__ == "__main__":
    main(measure, __doc__ or "")
