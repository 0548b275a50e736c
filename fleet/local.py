"""The relay that a command uses: pools on this machine, or a shared Redis with pools anywhere."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voxrelay.fleet import environments
from voxrelay.fleet.supervised import POLL_SECONDS, Supervised, shared_supervisor, store_folder
from voxrelay.relay import config as configuration
from voxrelay.relay import home, presence
from voxrelay.relay.config import Config, Redis
from voxrelay.relay.connect import client
from voxrelay.relay.errors import UnavailableError
from voxrelay.relay.job import Link

Note = Callable[[str], None]


def running_redis(config: Config) -> Redis | None:
    """Return the Redis of the relay in use: the one named, else that of a private relay, if one runs."""
    if config.redis.shared:
        return config.redis
    supervised = shared_supervisor(config)
    return supervised.redis() if supervised.alive else None


def jobs_redis(config: Config, note: Note) -> Redis | None:
    """Return the Redis of the relay in use; a private relay that kept jobs is started for it, without pools.

    Raises:
        UnavailableError: it does not come up.

    """
    running = running_redis(config)
    if running or not store_folder(config).is_dir():
        return running
    note("starting the private relay, which has kept jobs")
    supervised = shared_supervisor(config)
    supervised.start(cold=False)
    return supervised.redis()


@contextmanager
def relay(config: Config, chain: Sequence[Link], *, cold: bool, note: Note) -> Iterator[Config]:
    """Provide a relay that serves the models of ``chain``; yields the configuration with its Redis URLs.

    ``cold`` brings up pools (and without a Redis URL, a Redis) for this alone and takes them down
    after. Otherwise a shared Redis is used as it is, and a private relay is left warm.

    Raises:
        UnavailableError: Redis, an environment, a pool or a model is not to be had.

    """
    if config.redis.shared and not cold:
        require(config, chain)
        yield config
        return
    pools = [config.model(link.stage, link.model).pool for link in chain]
    environments.ensure(config, config.environments(pools), note)
    if not cold:
        private = warm(config, pools, note)
        require(private, chain)
        yield private
        return
    supervised = Supervised(Path(tempfile.mkdtemp(prefix="voxrelay-")))
    process = supervised.start(cold=True)
    try:
        supervised.want(pools)
        private = config.model_copy(update={"redis": supervised.redis()})
        await_pools(private, supervised, pools, note)
        require(private, chain)
        yield private
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()


def warm(config: Config, pools: list[str], note: Note, *, stay: bool = False) -> Config:
    """Bring up what is missing of the shared local relay and leave it there; ``stay``: also when idle."""
    supervised = shared_supervisor(config)
    if not supervised.alive:
        supervised.start(cold=False)
    private = config.model_copy(update={"redis": supervised.redis()})
    if stay:
        (supervised.folder / "stay").touch()
    supervised.want(pools)
    await_pools(private, supervised, pools, note)
    return private


def await_pools(config: Config, supervised: Supervised, pools: list[str], note: Note) -> None:
    """Wait until every pool has a worker that is ready.

    Raises:
        UnavailableError: one has failed, or the time is up.

    """
    jobs = client(config.redis.jobs or "")
    deadline = time.monotonic() + config.timeouts.start
    told = False
    while time.monotonic() < deadline:
        state = supervised.state()
        supervised.use()
        mine = {entry["process"]: entry["pool"] for entry in state.get("pools", [])}
        ready = {p.pool for p in presence.present(jobs) if p.process in mine}
        if missing := [pool for pool in pools if pool not in ready]:
            _raise_failed(state, missing)
            if not told:
                told = True
                note(f"starting {', '.join(missing)}")
            time.sleep(POLL_SECONDS)
        else:
            return
    raise UnavailableError(f"not ready after {config.timeouts.start:.0f} s", where=f"pools {', '.join(missing)}",
                           hint=f"see the logs in {home.logs()}")  # fmt: skip


def _raise_failed(state: dict[str, Any], pools: list[str]) -> None:
    for entry in state.get("pools", []):
        if entry["pool"] in pools and entry["error"]:
            raise UnavailableError(entry["error"], where=f"pool {entry['pool']}", hint=f"see {entry['log']}")


def require(config: Config, chain: Sequence[Link]) -> None:
    """Check that workers are there for every model of a chain, and that they work under the same contract.

    Raises:
        UnavailableError: one is not served; the models that are, are named.
        BadConfigError: they would drop what this configuration asks for.

    """
    jobs = client(config.redis.jobs or "")
    served = presence.served(jobs)
    pools = {config.model(stage, model).pool for stage, model in served}
    where = configuration.mask(config.redis.broker)
    missing = [link for link in chain if (link.stage, link.model) not in served]
    idle = sorted({config.model(x.stage, x.model).pool for x in missing} - pools)
    if idle:
        hint = f"on a machine that shall serve it: vox up {' '.join(idle)}"
        raise UnavailableError(f"no worker of pool {', '.join(idle)}", where=where, hint=hint)
    if missing:
        names = ", ".join(f"{link.stage}.{link.model}" for link in missing)
        there = ", ".join(sorted(f"{stage}.{model}" for stage, model in served))
        hint = f"served are {there}; a model without its weights is not: they belong in {home.models()}"
        raise UnavailableError(f"no worker serves {names}", where=where, hint=hint)
    presence.agree(jobs, config.contract)
