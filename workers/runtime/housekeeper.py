"""Renew the leases that this worker holds; one worker of all reconciles and sweeps."""

import logging
import threading
import time

import redis

from voxrelay.relay import keys, presence
from voxrelay.workers.runtime.desk import Desk

log = logging.getLogger("voxrelay")

TICK_SECONDS = 1.0
LEADER_SECONDS = 5
SWEEP_SECONDS = 60
_LIVING = ("running", "paused", "done")


class Housekeeper:
    """Looks after leases every second, and if it leads, after all units and jobs."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.jobs, self.tensors = desk, desk.stores.jobs, desk.stores.tensors
        self.config, self.dispatch = desk.config, desk.dispatch
        self.name = f"{desk.host}:{desk.process}"
        self._broker = desk.stores.broker
        self._servers: dict[str, str] = {}
        self._swept = self._renewed = 0.0
        self._unknown: set[str] = set()

    def keep_up(self, leaving: threading.Event) -> None:
        """Renew and reconcile every second until the worker leaves."""
        while not leaving.wait(TICK_SECONDS):
            try:
                self.dispatch.renew(list(self.desk.held.values()))
                if self._leads():
                    self._lead()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                log.warning("leases not renewed: %s", error)
            except Exception:
                log.exception("leases not renewed")  # and tried again: without this thread, work would stand still

    def leave(self) -> None:
        """Let another worker reconcile at once."""
        if self.jobs.get(keys.RECONCILER) == self.name.encode():
            self.jobs.delete(keys.RECONCILER)

    def _leads(self) -> bool:
        """Whether this worker reconciles: the lock is its own, or nobody's."""
        if self.jobs.set(keys.RECONCILER, self.name, nx=True, ex=LEADER_SECONDS):
            return True
        if self.jobs.get(keys.RECONCILER) == self.name.encode():
            self.jobs.expire(keys.RECONCILER, LEADER_SECONDS)
            return True
        return False

    def _lead(self) -> None:
        self._make_room()
        if self._restarted():
            log.warning("Redis has restarted: what nobody holds is sent again")
            self.dispatch.hurry()
        for unit in self.dispatch.reconcile():
            log.warning("released again: %s", unit, extra={"about": {"job": unit.job}})
        if time.monotonic() - self._swept > min(SWEEP_SECONDS, self.config.lifetimes.voices / 4):
            self._swept = time.monotonic()
            self._sweep()

    def _make_room(self) -> None:
        """Let as many units be in flight as keep all workers busy: the fewer, the sooner a first sound is there.

        Those that the other pools could hold wait before the slowest, so that it finds the next one when it is done.
        """
        batches = [self.config.pools[worker.pool].batch for worker in presence.present(self.jobs)]
        room = self.config.limits.in_flight or sum(2 * batch - 1 for batch in batches)
        self.jobs.set(keys.ROOM, room, ex=SWEEP_SECONDS)

    def _restarted(self) -> bool:
        """Whether a Redis is another process than before: it may have forgotten messages, or all."""
        found = {
            name: server.info("server")["run_id"] for name, server in (("broker", self._broker), ("jobs", self.jobs))
        }
        before, self._servers = self._servers, found
        return bool(before) and before != found

    def _sweep(self) -> None:
        """Renew the lifetimes of what is in use, and remove what a crash has left of jobs that do not run."""
        self.dispatch.renew_voices()
        if time.monotonic() - self._renewed > self.config.lifetimes.jobs / 8:
            self._renewed = time.monotonic()
            for raw in self.jobs.zrange(keys.ACTIVE, 0, -1):
                if self.dispatch.ledger.state(raw.decode()) == "running":
                    self.dispatch.renew_job(raw.decode())
        for index, name in ((keys.ACTIVE, keys.job), (keys.JOBS, keys.job), (keys.DEAD, keys.dead)):
            for raw in self.jobs.zrange(index, 0, -1):
                if not self.jobs.exists(name(raw.decode())):
                    self.jobs.zrem(index, raw)
        states: dict[str, str] = {}
        for key in self.tensors.scan_iter(match=keys.TENSORS, count=1000):
            job_id = key.decode().split(":")[2]
            states.setdefault(job_id, self.dispatch.ledger.state(job_id))
            # A job that is being submitted has its tensors before it is known: it is known by the next sweep.
            if states[job_id] not in _LIVING and (states[job_id] or job_id in self._unknown):
                self.tensors.delete(key)
        self._unknown = {job_id for job_id, state in states.items() if not state}
