"""Celery: the application and its queues.

The settings are those under which no work was lost or done twice when workers were killed:
acknowledgement after the work, one message reserved per thread, redelivery after the visibility
timeout with a frequent sweep (kombu >= 5.7). Messages are JSON and carry names, never tensors.
"""

import base64
import binascii
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from celery import Celery
from kombu.transport.redis import PRIORITY_STEPS, Channel

from voxrelay.relay.config import Config
from voxrelay.relay.connect import CONNECT_SECONDS, SOCKET_SECONDS, Client

SWEEP_SECONDS = 5
HEALTH_SECONDS = 5


def make_app(config: Config) -> Celery:
    """Make the Celery application for the broker of ``config``."""
    visibility = config.timeouts.visibility
    app = Celery("voxrelay", broker=broker_url(config.redis.broker or ""), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        # Ride out any time without Redis, and finish meanwhile what is being computed.
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            "visibility_timeout": visibility,
            "unacked_restore_interval": SWEEP_SECONDS,
            "socket_keepalive": True,
            # A connection that silently went dead is noticed: a blocking pop is answered within a second.
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "retry_on_timeout": True,
            "health_check_interval": HEALTH_SECONDS,
        },
        result_backend_transport_options={"visibility_timeout": visibility},
        visibility_timeout=visibility,
        task_create_missing_queues=True,
    )
    return app


def broker_url(url: str) -> str:
    """Turn a Redis URL into Celery's form, which spells Unix sockets differently and asks for no certificate."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    if parts.scheme == "unix":
        asked = {"virtual_host": asked.pop("db", "0"), **asked}
        return f"redis+socket://{parts.netloc}{parts.path}?{urlencode(asked)}"
    if parts.scheme == "rediss":
        return urlunsplit(parts._replace(query=urlencode({"ssl_cert_reqs": "required", **asked})))
    return url


@dataclass(frozen=True)
class Waiting:
    """What waits in a queue, over all its priorities; ``oldest``: seconds since its oldest message was released."""

    depth: int
    oldest: float


def waiting(broker: Client, queues: Sequence[str]) -> dict[str, Waiting]:
    """Look into queues. kombu keeps a list for each priority, of which the last entry is the next to go."""
    lists = [_priorities(queue) for queue in queues]
    pipe = broker.pipeline()
    for name in (name for names in lists for name in names):
        pipe.llen(name)
        pipe.lindex(name, -1)
    answers, now, found = iter(pipe.execute()), time.time(), {}
    for queue, names in zip(queues, lists, strict=True):
        pairs = [(next(answers), next(answers)) for _ in names]
        ages = [max(now - _released(raw, now), 0.0) for _, raw in pairs if raw]
        found[queue] = Waiting(sum(depth for depth, _ in pairs), round(max(ages, default=0.0), 3))
    return found


def unacknowledged(broker: Client) -> int:
    """Count the messages that workers have taken and not finished in half a second."""
    return int(broker.hlen(Channel.unacked_key))


def _priorities(queue: str) -> list[str]:
    return [f"{queue}{Channel.sep}{step}" if step else queue for step in PRIORITY_STEPS]


def _released(raw: bytes, now: float) -> float:
    """Read when the unit of a message was released; now if it is not one of ours."""
    try:
        _, facts, _ = json.loads(base64.b64decode(json.loads(raw)["body"]))
        return float(facts["released"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return now
