"""The beat of a worker process: it tells its machine how it is, and the relay that it can work."""

import logging
import math
import threading
import time
from collections.abc import Callable

import redis

from voxrelay.relay import presence
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Client, client
from voxrelay.relay.health import Health, State
from voxrelay.relay.presence import BEAT_SECONDS, LIFETIME_SECONDS, Presence
from voxrelay.workers.runtime.desk import Desk
from voxrelay.workers.runtime.pace import Pace

log = logging.getLogger("voxrelay")


class Beat:
    """Tells every few seconds. Two threads, so that one that waits for Redis does not silence the other."""

    def __init__(self, config: Config, pool: str) -> None:
        self.config, self.pool = config, pool
        self.ready, self.leaving, self._gone = threading.Event(), threading.Event(), threading.Event()
        self._desk: Desk | None = None
        self._writing = threading.Lock()
        self._answered = time.monotonic()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Tell the machine from now on."""
        self._run(self._tell_machine)

    def join(self, desk: Desk, models: list[str]) -> None:
        """Tell the relay as well, as soon as this process is ``ready``."""
        self._desk = desk
        mine = Presence.of_this_process(self.config, self.pool, models)
        urls = self.config.redis
        others = [client(url or "") for url in {urls.broker, urls.tensors} - {urls.jobs}]
        self._run(lambda: self._tell_relay(desk.stores.jobs, others, mine, desk.pace))

    def leave(self) -> None:
        """Tell nobody any more."""
        self.leaving.set()
        self._gone.set()
        self.ready.set()
        for thread in self._threads:
            thread.join(BEAT_SECONDS)
        self._health().path.unlink(missing_ok=True)

    def _run(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _tell_machine(self) -> None:
        while not self._gone.is_set():
            self._write()
            self._gone.wait(BEAT_SECONDS)

    def _tell_relay(self, jobs: Client, others: list[Client], mine: Presence, pace: Pace) -> None:
        """Renew the presence, and ask every Redis whether it answers."""
        self.ready.wait()
        self._answered = time.monotonic()
        self._write()
        while not self._gone.is_set():
            try:
                rate, busy = pace.mark()
                current = mine.model_copy(update={"rate": round(rate, 3), "busy": round(busy, 3)})
                presence.beat(jobs, current, self.config.timeouts.start)
                for other in others:
                    other.ping()
                self._answered = time.monotonic()
            except redis.RedisError as error:
                self._answered = -math.inf
                log.warning("presence not renewed: %s", error)
            self._gone.wait(BEAT_SECONDS)
        try:
            presence.leave(jobs, mine)
        except redis.RedisError as error:
            log.warning("presence not taken away: %s", error)

    def _write(self) -> None:
        with self._writing:
            try:
                self._health().write()
            except OSError as error:
                log.warning("health not written: %s", error)

    def _health(self) -> Health:
        return Health.of_this_process(self.pool, self._state(), self._desk.pace.since if self._desk else None)

    def _state(self) -> State:
        if self.leaving.is_set():
            return "leaving"
        if not self.ready.is_set():
            return "starting"
        if time.monotonic() - self._answered > LIFETIME_SECONDS:
            return "unreachable"
        return "working" if self._desk and self._desk.pace.since else "ready"
