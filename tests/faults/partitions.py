"""Workers, or the client, are cut off from Redis for a while, and nobody tells them: no window is lost."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import redis
import typer

import networks
from faults import crew
from faults.load import Load, Outcome, convert
from limits.bench import Row, main, settings
from networks import Network
from servers import FORGETFUL, Server, Wire
from voxrelay.relay import keys

JOBS, WINDOWS, SECONDS = 4, 10, 15.0


@dataclass(frozen=True)
class Partition:
    """The undisturbed run and the other one."""

    quiet: Outcome
    disturbed: Outcome


@dataclass(frozen=True)
class Way:
    """A way to a Redis that can be cut for the ``workers`` or for the ``client``.

    Args:
        watched: the server, for the test itself.
        urls: its URL, by who asks.
        at: lets a thread, and what it starts, be where the workers or the client are.
        part: cuts one of them off for so many seconds.

    """

    watched: str
    urls: Mapping[str, str]
    at: Callable[[str], AbstractContextManager[None]]
    part: Callable[[float], None]


@contextmanager
def by_wire(folder: Path, who: str) -> Iterator[Way]:
    """Put a proxy that goes silent between one of them and Redis."""
    with Server(folder / "redis") as server:
        wire = Wire(server.socket)
        urls = {"workers": server.url, "client": server.url, who: wire.url}
        yield Way(server.url, urls, lambda _: nullcontext(), wire.part)


@contextmanager
def by_network(folder: Path, who: str) -> Iterator[Way]:
    """Give Redis, the workers and the client a host each, in network namespaces."""
    with Network(["redis", "workers", "client"]) as network:
        address = network.addresses["redis"]
        reachable = {"port": "6379", "bind": address, "protected-mode": "no"}
        server = Server(folder / "redis", **FORGETFUL, **reachable)
        with network.on("redis"):
            server.start()
        urls = dict.fromkeys(("workers", "client"), f"redis://{address}:6379/0")
        try:
            yield Way(server.url, urls, network.on, lambda seconds: network.part(who, seconds))
        finally:
            server.kill()


WAYS = {"a wire that goes silent": by_wire, "its network namespace taken off the bridge": by_network}


def run(folder: Path, seed: int, who: str, through: str, *, jobs: int, windows: int, seconds: float) -> Partition:
    """Convert a load twice, the second time while ``workers`` or the ``client`` are cut off for a while."""
    load = Load.make(folder / "load", jobs, windows, seed)
    with WAYS[through](folder, who) as way, way.at("workers"):
        env = settings(folder)
        with crew.proper({**env, "REDIS_URL": way.urls["workers"]}):
            found: list[Outcome] = []

            def client(name: str) -> None:
                with way.at("client"):
                    found.append(convert(load, {**env, "REDIS_URL": way.urls["client"]}, folder / name))

            client("quiet")
            disturbed = threading.Thread(target=client, args=("disturbed",))
            store = redis.Redis.from_url(way.watched)
            known = store.zcard(keys.JOBS)
            disturbed.start()
            while store.zcard(keys.JOBS) == known or not store.exists(keys.FLIGHT):
                time.sleep(0.05)
            time.sleep(1)
            way.part(seconds)
            disturbed.join()
    return Partition(found[0], found[1])


def measure(folder: Path, seed: int) -> list[Row]:
    """Do all at full size, namespaces where this machine has them."""
    without = networks.missing()
    if without:
        typer.echo(f"no namespaces: {without}", err=True)
    return [
        _row(folder, seed, who, through)
        for through in list(WAYS)[: 1 if without else None]
        for who in ("workers", "client")
    ]


def _row(folder: Path, seed: int, who: str, through: str) -> Row:
    own = folder / f"{who}-{WAYS[through].__name__}"
    own.mkdir()
    done = run(own, seed, who, through, jobs=JOBS, windows=WINDOWS, seconds=SECONDS)
    lost, doubled, differing = done.disturbed.lost, done.disturbed.doubled, done.disturbed.differing(done.quiet)
    return Row(
        f"{who} cut off from Redis for {SECONDS:.0f} s by {through}",
        "0 lost",
        f"{lost} lost, {doubled} doubled, {differing} of {JOBS} outputs differ",
        not (lost or doubled or differing),
        {"lost": lost, "doubled": doubled, "differing": differing},
    )


if __name__ == "__main__":
    main(measure, __doc__ or "")
