"""Which worker processes are there, and the contract they hold to.

Every worker renews its entry while it lives; an entry that is not renewed is gone in seconds.
"""

import os
import socket
import time
from typing import cast

from pydantic import BaseModel, ConfigDict

from voxrelay.relay import keys
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.connect import Client
from voxrelay.relay.errors import BadConfigError

BEAT_SECONDS = 3
LIFETIME_SECONDS = 12


class Presence(BaseModel):
    """One worker process that is ready to work: lately ``rate`` units a second, ``busy`` a share of the time."""

    model_config = ConfigDict(frozen=True)

    pool: str
    stage: Stage
    models: list[str]
    environment: str
    host: str
    process: int
    contract: str
    since: float
    rate: float = 0.0
    busy: float = 0.0

    @classmethod
    def of_this_process(cls, config: Config, pool: str, models: list[str]) -> "Presence":
        """Describe the process that calls this."""
        return cls(
            pool=pool,
            stage=config.served_by(pool)[0],
            models=models,
            environment=config.pools[pool].environment,
            host=socket.gethostname(),
            process=os.getpid(),
            contract=config.contract,
            since=time.time(),
        )

    @property
    def key(self) -> str:
        """Where it stands in Redis."""
        return keys.pool(self.pool, self.host, self.process)


def claim(jobs: Client, contract: str) -> None:
    """Set the contract of the relay where no worker has yet, and hold to it.

    Raises:
        BadConfigError: the relay runs on another contract.

    """
    jobs.set(keys.CONTRACT, contract, nx=True, ex=LIFETIME_SECONDS)
    agree(jobs, contract)


def agree(jobs: Client, contract: str) -> None:
    """Hold to the contract of the relay, if workers have set one.

    Raises:
        BadConfigError: the relay runs on another contract.

    """
    found = (jobs.get(keys.CONTRACT) or contract.encode()).decode()
    if found != contract:
        hint = "window, mel, wire version and model options of queues.yml must be the same on every machine"
        raise BadConfigError(f"this configuration has contract {contract}, the relay runs on {found}", hint=hint)


def beat(jobs: Client, presence: Presence, start: float) -> None:
    """Renew a worker's entry, the contract, and what it serves: the last for the seconds a new one has to ``start``."""
    pipe = jobs.pipeline()
    pipe.set(presence.key, presence.model_dump_json(), ex=LIFETIME_SECONDS)
    pipe.set(keys.CONTRACT, presence.contract, ex=LIFETIME_SECONDS)
    for model in presence.models:
        pipe.set(keys.served(presence.stage, model), "", px=round(1000 * start))
    pipe.execute()


def leave(jobs: Client, presence: Presence) -> None:
    """Take a worker's entry away, what only it serves, and with the last one the contract."""
    jobs.delete(presence.key)
    others = present(jobs)
    still = {model for other in others if other.stage == presence.stage for model in other.models}
    for model in set(presence.models) - still:
        jobs.delete(keys.served(presence.stage, model))
    if not others:
        jobs.delete(keys.CONTRACT)


def served(jobs: Client) -> set[tuple[Stage, str]]:
    """Return stage and name of every model that some worker serves, or did until it died: it is started again."""
    names = [raw.decode().split(":")[-2:] for raw in jobs.scan_iter(match=keys.SERVED, count=1000)]
    return {(cast("Stage", stage), model) for stage, model in names}


def present(jobs: Client) -> list[Presence]:
    """List the workers that are there."""
    names = sorted(jobs.scan_iter(match=keys.POOLS, count=1000))
    blobs = jobs.mget(names) if names else []
    return [Presence.model_validate_json(blob) for blob in blobs if blob]
