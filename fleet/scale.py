"""Ask the supervisor of this machine for more or fewer workers of a pool, the others undisturbed."""

import time
from collections.abc import Iterator, Mapping

from voxrelay.fleet.local import Note
from voxrelay.fleet.supervised import POLL_SECONDS, Supervised, shared_supervisor
from voxrelay.relay import presence
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Client, client
from voxrelay.relay.errors import BadInputError, UnavailableError

MOST = 256


def read_sizes(wanted: list[str], config: Config) -> dict[str, int]:
    """Read ``vocoder=2 content=1``.

    Raises:
        BadInputError: that is not what it says.
        BadConfigError: there is no such pool.

    """
    sizes = {}
    for one in wanted:
        pool, _, number = one.partition("=")
        if not number.isdecimal() or not 1 <= int(number) <= MOST:
            hint = f"POOL=NUMBER, like vocoder=2, from 1 to {MOST}"
            raise BadInputError(f"{one!r} is not a number of workers", hint=hint)
        config.served_by(pool)
        sizes[pool] = int(number)
    return sizes


def scale(config: Config, sizes: Mapping[str, int], note: Note) -> None:
    """Have pools of this machine as many workers as wanted, and wait until they have.

    What is too many finishes what it computes and leaves. The number holds until `vox down`.

    Raises:
        UnavailableError: a pool does not run here, or a new worker does not come up; it is left at that number.

    """
    supervised = shared_supervisor(config)
    running = {entry["pool"] for entry in supervised.state().get("pools", [])} if supervised.alive else set()
    if missing := [pool for pool in sizes if pool not in running]:
        raise UnavailableError("does not run on this machine", where=f"pool {missing[0]}", hint=f"vox up {missing[0]}")
    jobs = client(supervised.redis().jobs or "")
    for pool, size in sizes.items():
        supervised.ask_size(pool, size)
    for pool, size in sizes.items():
        for line in _follow(supervised, config, jobs, pool, size):
            note(f"{pool}: {line}")


def _follow(supervised: Supervised, config: Config, jobs: Client, pool: str, size: int) -> Iterator[str]:
    """Say what happens to a pool until it has its size."""
    known = {worker.process for worker in presence.present(jobs)}
    leaving = set[int]()
    deadline = time.monotonic() + config.timeouts.start + config.timeouts.stuck
    while time.monotonic() < deadline:
        if not supervised.alive:
            raise UnavailableError("the relay was stopped meanwhile", where=f"pool {pool}")
        state = supervised.state()
        mine = [entry for entry in state["pools"] if entry["pool"] == pool]
        if failed := next((entry for entry in mine if entry["error"]), None):
            raise UnavailableError(failed["error"], where=f"pool {pool}", hint=f"see {failed['log']}")
        there = {worker.process for worker in presence.present(jobs)} & {entry["process"] for entry in mine}
        going = {entry["process"] for entry in state["leaving"] if entry["pool"] == pool}
        yield from (f"process {process} finishes what it computes" for process in going - leaving)
        yield from (f"process {process} has left" for process in leaving - going)
        yield from (f"process {process} is there" for process in there - known)
        known, leaving = known | there, going
        if state["sizes"].get(pool) == size == len(mine) == len(there) and not going:
            return
        supervised.use()
        time.sleep(POLL_SECONDS)
    raise UnavailableError(f"has not {size} workers in time", where=f"pool {pool}", hint="vox ps shows what it has")
