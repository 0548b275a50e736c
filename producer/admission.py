"""Admission: a job is taken on if it can be finished, and then it is not lost."""

import functools
from typing import Literal

import redis

from voxrelay.producer.session import Session
from voxrelay.relay import clock, keys
from voxrelay.relay.connect import Client
from voxrelay.relay.errors import RefusedError, UnavailableError
from voxrelay.relay.job import Manifest

_DISK_SECONDS = 10
_OWN_DISK = (7, 2)  # the Redis that can say when a write is on disk
_MEGABYTE = 1_000_000
_IN_FLIGHT_BYTES = 2 * _MEGABYTE  # tensors of one unit, generously
_SOUND_BYTES = 2  # a sample as FLAC, at worst


def admit(session: Session, manifest: Manifest) -> None:
    """Refuse a job for which Redis would not have room, all that was accepted before it included.

    Raises:
        RefusedError: there is no room; it says when to come back.

    """
    for store in {id(store): store for store in (session.stores.jobs, session.stores.tensors)}.values():
        facts = store.info("memory")
        limit = int(facts["maxmemory"] * session.config.limits.memory)
        if not limit:
            continue
        needed, promised = _growth(session, store, manifest)
        room = limit - facts["used_memory"] - promised
        if needed > room:
            what = f"no room in Redis: this job may come to need {needed / _MEGABYTE:.0f} MB"
            raise RefusedError(
                f"{what}, {max(room, 0) / _MEGABYTE:.0f} MB are free and not promised",
                hint=f"{come_back(session)}, or raise its maxmemory",
            )


def refuse(session: Session, manifest: Manifest, verdict: str, waiting: int, mine: int) -> RefusedError:
    """Explain a limit of the backlog."""
    limits, windows = session.config.limits, len(manifest.windows)
    if verdict == "client":
        what = f"{mine} windows of {manifest.client} wait, {windows} more are above the limit of {limits.client}"
    else:
        what = f"{waiting} windows wait, {windows} more are above the limit of {limits.backlog}"
    return RefusedError(what, where="limits of queues.yml", hint=come_back(session))


def come_back(session: Session) -> str:
    """Say when the backlog will be done, at the pace of the last windows."""
    jobs = session.stores.jobs
    landed = [float(moment) for moment in jobs.lrange(keys.LANDED, 0, -1)]
    waiting = sum(_left(jobs))
    if len(landed) < 2 or not waiting:  # noqa: PLR2004 - a pace needs two moments
        return "come back later"
    seconds = waiting * max(landed[-1] - landed[0], 0.1) / (len(landed) - 1)
    return f"come back in about {seconds / 60:.0f} min" if seconds > 90 else f"come back in about {seconds:.0f} s"  # noqa: PLR2004


def on_disk(jobs: Client) -> bool:
    """Wait until what was written is on disk; False if this Redis does not promise that.

    Raises:
        UnavailableError: the disk does not answer in time.

    """
    promise = _promise(jobs)
    if promise == "asked" and not jobs.execute_command("WAITAOF", 1, 0, _DISK_SECONDS * 1000)[0]:
        raise UnavailableError(f"Redis did not write to disk within {_DISK_SECONDS} s", hint="is its disk full?")
    return promise != "never"


@functools.lru_cache(maxsize=8)
def _promise(jobs: Client) -> Literal["never", "always", "asked"]:
    """Find out, once for each client, whether a Redis answers when a write is on disk: when it is asked, or always."""
    facts = {**jobs.info("server"), **jobs.info("persistence")}
    if not facts.get("aof_enabled"):
        return "never"
    version = tuple(int(part) for part in str(facts["redis_version"]).split(".")[:2])
    if version >= _OWN_DISK:
        return "asked"
    try:
        return "always" if jobs.config_get("appendfsync").get("appendfsync") == "always" else "never"
    except redis.ResponseError:  # a managed Redis that does not say
        return "never"


def _left(jobs: Client) -> list[int]:
    """Return how many windows each active job still has before it."""
    pipe = jobs.pipeline()
    for raw in jobs.zrange(keys.ACTIVE, 0, -1):
        pipe.hget(keys.job(raw.decode()), "windows_left")
    return [int(left or 0) for left in pipe.execute()]


def _growth(session: Session, store: Client, manifest: Manifest) -> tuple[int, int]:
    """Return the bytes that this job, and those accepted before it, may still add to a store."""
    window = clock.sound_samples(session.config.window.samples) * _SOUND_BYTES
    needed = promised = 0
    if store is session.stores.jobs:
        source = sum(span.length for span in manifest.windows) * _SOUND_BYTES
        needed += source + len(manifest.windows) * window
        promised += sum(_left(store)) * window
    if store is session.stores.tensors:
        room = int(session.stores.jobs.get(keys.ROOM) or session.config.limits.in_flight or 0)
        promised += room * _IN_FLIGHT_BYTES
    return needed, promised
