"""One worker process of a pool: load the models, be present, work until told to stop."""

import contextlib
import importlib
import logging
import os
import sys
import threading
import time
from typing import Any, cast

import redis
from celery import Celery, Task, signals
from celery.exceptions import Ignore

from voxrelay.relay import keys, presence
from voxrelay.relay.chain import following, task_name
from voxrelay.relay.config import Config
from voxrelay.relay.connect import client
from voxrelay.relay.errors import VoxError
from voxrelay.relay.queue import make_app
from voxrelay.workers.runtime import gate
from voxrelay.workers.runtime.beat import Beat
from voxrelay.workers.runtime.desk import Desk
from voxrelay.workers.runtime.events import Gathered
from voxrelay.workers.runtime.housekeeper import Housekeeper
from voxrelay.workers.runtime.loading import load_pool
from voxrelay.workers.runtime.stage import Stage

log = logging.getLogger("voxrelay")

# Where pools share cores, those nearer to the sound go first: it comes sooner, and less lies in between.
_NICE = {"content": 10, "mel": 5}


def prepare(config: Config, pool: str) -> tuple[Stage, dict[str, Any]]:
    """Load a pool's models and run each once."""
    name = config.served_by(pool)[0]
    stage = cast("Stage", importlib.import_module(f"voxrelay.workers.{name}.stage").STAGE)
    models = load_pool(config, pool)
    _limit_threads(config.pools[pool].threads)
    for label, model in models.items():
        began = time.monotonic()
        stage.warm(model)
        log.warning("%s.%s is warm after %.1f s", name, label, time.monotonic() - began)
    return stage, models


def serve(config: Config, pool: str) -> None:
    """Work for a pool until SIGTERM.

    Raises:
        BadConfigError: this configuration differs from the relay's, or a model's line is wrong.
        UnavailableError: no Redis answers, or no model could be loaded.

    """
    os.nice(_NICE.get(config.served_by(pool)[0], 0))  # threads that are started from here on inherit it
    beat = Beat(config, pool)
    beat.start()
    try:
        presence.claim(client(config.redis.jobs or ""), config.contract)
        stage, models = prepare(config, pool)
        app = make_app(config)
        desk = Desk(config, pool, stage, models)
        gate.guard(desk.refuse)
        add_task(app, desk)
        desk.metrics.announce(list(models))
        desk.metrics.serve()
        beat.join(desk, list(models))
        _work(app, desk, beat)
    finally:
        beat.leave()


def _work(app: Celery, desk: Desk, beat: Beat) -> None:
    """Take messages until SIGTERM; then finish those that were taken, and take no other."""
    app.events.dispatcher_cls = Gathered
    worker = app.Worker(
        hostname=f"{desk.pool}.{desk.process}@{desk.host}",
        pool="threads",
        concurrency=2 * desk.batcher.batch,  # a batch is computed while the inputs of the next are fetched
        queues=[keys.queue(desk.name, model) for model in desk.models],
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    ended = threading.Event()
    signals.setup_logging.connect(lambda **_: None, weak=False)  # ours stays as it is
    signals.worker_ready.connect(lambda **_: beat.ready.set(), weak=False)
    signals.worker_shutting_down.connect(lambda **_: beat.leaving.set(), weak=False)
    housekeeper = Housekeeper(desk)
    threading.Thread(target=housekeeper.keep_up, args=(ended,), daemon=True).start()
    try:
        worker.start()
    finally:
        ended.set()
        with contextlib.suppress(redis.RedisError):
            housekeeper.leave()


def add_task(app: Celery, desk: Desk) -> None:
    """Register the one task of a stage."""

    @app.task(
        name=task_name(desk.name),
        bind=True,
        throws=(VoxError, Ignore, redis.RedisError),
    )
    def handle(self: Task, job: str, part: str, index: int, model: str, released: float) -> None:
        desk.handle(job, part, index, model, released, lambda: following(self.request))


def end_with_stdin() -> None:
    """End this process as soon as standard input closes: its parent has died."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _limit_threads(threads: int) -> None:
    """Hold torch to the pool's share of the cores: more threads than cores only wait for each other."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
