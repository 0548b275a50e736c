"""Keep up what is in flight: renew the leases this worker holds; one worker of all reconciles."""

import logging
import threading

import redis

from voxrelay.relay import keys
from voxrelay.workers.runtime.desk import Desk

log = logging.getLogger("voxrelay")

TICK_SECONDS = 1.0
LEADER_SECONDS = 5


def keep_up(desk: Desk, leaving: threading.Event) -> None:
    """Renew and reconcile every second until the worker leaves."""
    while not leaving.wait(TICK_SECONDS):
        try:
            desk.dispatch.renew(list(desk.held))
            if _leads(desk):
                for unit in desk.dispatch.reconcile():
                    log.warning("released again: %s", unit)
        except redis.RedisError as error:
            log.warning("leases not renewed: %s", error)


def _leads(desk: Desk) -> bool:
    """Whether this worker reconciles: the lock is its own, or nobody's."""
    jobs, me = desk.stores.jobs, _name(desk)
    if jobs.set(keys.RECONCILER, me, nx=True, ex=LEADER_SECONDS):
        return True
    if jobs.get(keys.RECONCILER) == me.encode():
        jobs.expire(keys.RECONCILER, LEADER_SECONDS)
        return True
    return False


def leave(desk: Desk) -> None:
    """Let another worker reconcile at once."""
    if desk.stores.jobs.get(keys.RECONCILER) == _name(desk).encode():
        desk.stores.jobs.delete(keys.RECONCILER)


def _name(desk: Desk) -> str:
    return f"{desk.host}:{desk.process}"
