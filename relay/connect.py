"""Connections to Redis."""

from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from voxrelay.relay.config import Redis, mask
from voxrelay.relay.errors import UnavailableError

# A connection that silently went dead is noticed; longer than any read that blocks (a second, of a job's stream).
SOCKET_SECONDS = 10
CONNECT_SECONDS = 5
# A window's content in one read of the socket, or in a few.
READ_BYTES = 262_144

# redis-py types every command as sync-or-async; the sync client returns plain values.
Client = Any


@dataclass(frozen=True)
class Stores:
    """The persistent store of jobs, the short-lived one of tensors, and Celery's queues, which may be one of these."""

    jobs: Client
    tensors: Client
    broker: Client

    def close(self) -> None:
        """Let the connections go."""
        for opened in (self.jobs, self.tensors, self.broker):
            opened.close()


def connect(urls: Redis) -> Stores:
    """Open them, one client where URLs are equal.

    Raises:
        UnavailableError: no Redis answers.

    """
    opened = {url: client(url or "") for url in dict.fromkeys((urls.jobs, urls.tensors, urls.broker))}
    return Stores(opened[urls.jobs], opened[urls.tensors], opened[urls.broker])


def client(url: str) -> Client:
    """Open a client that rides out short interruptions, and check that Redis answers.

    Raises:
        UnavailableError: nothing answers, or not with Redis, or the password is wrong.

    """
    try:
        retry = Retry(ExponentialBackoff(cap=1.0, base=0.05), 5)
        opened = redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=retry,
            socket_read_size=READ_BYTES,
            health_check_interval=30,
            protocol=2,
        )
        opened.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        hint = "start Redis there, or unset REDIS_URL to use a private one"
        raise UnavailableError(f"no Redis answers ({mask(str(error))})", where=mask(url), hint=hint) from error
    return opened
