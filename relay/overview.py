"""How a relay is, in one look at its Redis: what waits where, who works how fast, what is to be done."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from voxrelay.relay import keys, presence
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.connect import Client, connect
from voxrelay.relay.presence import Presence
from voxrelay.relay.queue import Waiting, unacknowledged, waiting

# A pool whose workers compute for this share of their time has no time to spare.
BUSY = 0.8


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Queue(_Facts):
    """The queue of a model: messages over all priorities, and how long the oldest has waited since its release."""

    pool: str
    stage: Stage
    model: str
    depth: int
    oldest: float


class Load(_Facts):
    """The workers of a pool, on all machines: units a second of all, and the share of time that they compute."""

    pool: str
    stage: Stage
    workers: int
    hosts: int
    rate: float
    busy: float
    waiting: int


class Memory(_Facts):
    """Bytes that a Redis uses, and may; no limit is 0."""

    used: int
    limit: int


class Overview(_Facts):
    """A relay at one moment.

    ``backlog``: windows of running jobs that are not done, ``flight`` of them (and of references) are with
    workers and queues; ``unacknowledged`` messages have been with workers for half a second.
    ``pace``: windows a second, of the last.
    """

    time: float
    queues: list[Queue]
    pools: list[Load]
    jobs: dict[str, int]
    memory: dict[str, Memory]
    backlog: int
    flight: int
    unacknowledged: int
    dead: int
    pace: float

    @property
    def left(self) -> float | None:
        """Seconds until the backlog is done, at the pace of the last windows; None if nothing says."""
        return self.backlog / self.pace if self.pace else None

    @property
    def slowest(self) -> Load | None:
        """The pool whose workers have least time to spare, if any computes."""
        busiest = max(self.pools, key=lambda load: load.busy, default=None)
        return busiest if busiest and busiest.busy else None

    def advice(self) -> str:
        """Say which stage is the slowest, and where workers are to be added."""
        for queue in self.queues:
            if queue.depth and not any(load.pool == queue.pool for load in self.pools):
                return f"{queue.depth} wait for pool {queue.pool}, which has no worker: vox up {queue.pool}"
        slow = self.slowest
        if not self.backlog or slow is None:
            return "nothing waits" if not self.backlog else "nothing is computed yet"
        said = f"{slow.stage} is the slowest stage: pool {slow.pool} computes {slow.busy:.0%} of the time"
        if slow.busy < BUSY:
            return f"{said}; no pool is short of workers"
        here = f"={slow.workers + 1}" if slow.hosts == 1 else " on one of its machines"
        return f"{said}: add workers, vox scale {slow.pool}{here} or vox up {slow.pool} elsewhere"


class Observer:
    """Looks at a relay.

    Raises:
        UnavailableError: no Redis answers.

    """

    def __init__(self, config: Config) -> None:
        self.config = config
        stores = connect(config.redis)
        self.jobs, self.tensors, self.broker = stores.jobs, stores.tensors, stores.broker

    def look(self) -> Overview:
        """Look at it now.

        Raises:
            redis.RedisError: it does not answer any more.

        """
        queues = self._queues()
        states, backlog = self._jobs()
        return Overview(
            time=time.time(),
            queues=queues,
            pools=_loads(presence.present(self.jobs), queues),
            jobs=states,
            memory=self._memory(),
            backlog=backlog,
            flight=self.jobs.zcard(keys.FLIGHT),
            unacknowledged=unacknowledged(self.broker),
            dead=self.jobs.zcard(keys.DEAD),
            pace=self._pace(),
        )

    def _queues(self) -> list[Queue]:
        models = [(stage, name, model) for stage, of in self.config.stages.items() for name, model in of.items()]
        names = [keys.queue(stage, name) for stage, name, _ in models]
        found: Mapping[str, Waiting] = waiting(self.broker, names)
        return [
            Queue(pool=model.pool, stage=stage, model=name, depth=found[queue].depth, oldest=found[queue].oldest)
            for (stage, name, model), queue in zip(models, names, strict=True)
        ]

    def _jobs(self) -> tuple[dict[str, int], int]:
        """Count jobs by state, and the windows of running ones that are not done."""
        pipe = self.jobs.pipeline()
        for raw in self.jobs.zrange(keys.JOBS, 0, -1):
            pipe.hmget(keys.job(raw.decode()), "state", "windows_left")
        records = [(state.decode(), int(left or 0)) for state, left in pipe.execute() if state]
        backlog = sum(left for state, left in records if state == "running")
        return dict(Counter(state for state, _ in records)), backlog

    def _memory(self) -> dict[str, Memory]:
        stores: dict[str, Client] = {"jobs": self.jobs, "tensors": self.tensors, "broker": self.broker}
        facts = {name: store.info("memory") for name, store in stores.items()}
        return {name: Memory(used=fact["used_memory"], limit=fact["maxmemory"]) for name, fact in facts.items()}

    def _pace(self) -> float:
        """Return how many windows land a second, of the last ones until now."""
        landed = [float(moment) for moment in self.jobs.lrange(keys.LANDED, 0, -1)]
        seconds, microseconds = self.jobs.time()
        return len(landed) / max(seconds + microseconds / 1e6 - landed[0], 0.1) if landed else 0.0


def _loads(workers: Iterable[Presence], queues: Iterable[Queue]) -> list[Load]:
    by_pool: dict[str, list[Presence]] = {}
    for worker in workers:
        by_pool.setdefault(worker.pool, []).append(worker)
    depths: Counter[str] = Counter()
    for queue in queues:
        depths[queue.pool] += queue.depth
    return [
        Load(
            pool=pool,
            stage=mine[0].stage,
            workers=len(mine),
            hosts=len({worker.host for worker in mine}),
            rate=round(sum(worker.rate for worker in mine), 3),
            busy=round(sum(worker.busy for worker in mine) / len(mine), 3),
            waiting=depths[pool],
        )
        for pool, mine in by_pool.items()
    ]
