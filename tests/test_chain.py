"""The message of the next stage is the one that Celery would have published."""

import base64
import json
from typing import Any

import redis
from celery import signature
from celery.app.task import Context

from voxrelay.relay import config as configuration
from voxrelay.relay.job import Link, Manifest, Span
from voxrelay.relay.message import check_task
from voxrelay.relay.queue import make_app, send, take_over

CHAIN = [
    Link(stage="speaker", model="resemblyzer"),
    Link(stage="content", model="mfcc"),
    Link(stage="mel", model="retrieval"),
    Link(stage="vocoder", model="griffin-lim"),
]
QUEUES = [f"{link.stage}.{link.model}" for link in CHAIN]


def request(raw: bytes) -> Context:
    """Read a message as a worker does."""
    message = json.loads(raw)
    _, kwargs, embedded = body(message)
    return Context(message["headers"], args=[], kwargs=kwargs, **embedded)


def body(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))


def told(raw: bytes) -> dict[str, Any]:
    """Return what a message says, but for what every one has of its own; kombu repeats what Flower shows."""
    message = json.loads(raw)
    for own in ("delivery_tag", "argsrepr", "kwargsrepr"):
        message["properties"].pop(own, None)
    return {**message, "body": body(message)}


def test_the_next_message_is_the_one_that_celery_would_publish(redis_server: str) -> None:
    app, broker = make_app(configuration.load({"REDIS_URL": redis_server})), redis.Redis.from_url(redis_server)
    span = Span(start=0, length=320, keep_from=0, keep_to=320)
    manifest = Manifest(id="20250101-000000-0a1b2c3d", contract="", chain=CHAIN, windows=[span])
    send(app, manifest, "window", 0)
    raw = broker.rpop(QUEUES[0])
    for queue in QUEUES[1:]:
        assert isinstance(raw, bytes)
        asked = request(raw)
        chain = list(asked.chain)
        signature(chain[-1], app=app).apply_async(
            (None,), chain=chain[:-1], parent_id=asked.id, root_id=asked.root_id, priority=0
        )
        published = broker.rpop(queue)
        assert isinstance(published, bytes)
        onward = take_over(app, asked)
        assert onward is not None
        assert onward.queue == queue
        assert told(onward.message) == told(published)
        check_task(onward.message, queue)
        assert not asked.chain, "Celery would publish it as well"
        raw = onward.message
    assert take_over(app, request(raw)) is None
    app.close()
