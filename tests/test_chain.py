"""Messages are what Celery itself would publish, the first of a chain as well as those that follow."""

import base64
import json
from typing import Any

import redis
from celery import Celery, chain, signature
from celery.app.task import Context

from voxrelay.relay import config as configuration
from voxrelay.relay.chain import first, following
from voxrelay.relay.job import Link, Manifest, Span
from voxrelay.relay.message import check_task
from voxrelay.relay.queue import make_app

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


OWN = ("id", "root_id", "task_id", "reply_to", "correlation_id", "delivery_tag", "origin")


def told(raw: bytes, *, ids: bool = False) -> Any:
    """Return what a message says; without ``ids``, without what every message and process has of its own."""
    message = json.loads(raw)
    for repeated in ("argsrepr", "kwargsrepr"):  # what Flower shows stands in the headers, and kombu repeats it
        message["properties"].pop(repeated, None)
    message["properties"].pop("delivery_tag")
    found = {**message, "body": body(message)}
    return found if ids else anonymous(found)


def anonymous(found: Any) -> Any:
    if isinstance(found, list):
        return [anonymous(each) for each in found]
    if isinstance(found, dict):
        return {name: "" if name in OWN else anonymous(each) for name, each in found.items()}
    return found


def begun_by_celery(app: Celery, manifest: Manifest, released: float) -> None:
    """Publish a chain as users of Celery do."""
    names = {"job": manifest.id, "part": "window", "index": 0, "released": released}
    chain(
        app.signature(
            f"voxrelay.{link.stage}",
            kwargs={**names, "model": link.model},
            queue=f"{link.stage}.{link.model}",
            immutable=True,
            argsrepr=f"{manifest.id} window 0",
            kwargsrepr=f"{link.stage} {link.model}",
        )
        for link in manifest.links("window")
    ).apply_async()


def test_messages_are_those_that_celery_would_publish(redis_server: str) -> None:
    app, broker = make_app(configuration.load({"REDIS_URL": redis_server})), redis.Redis.from_url(redis_server)
    span = Span(start=0, length=320, keep_from=0, keep_to=320)
    manifest = Manifest(id="20250101-000000-0a1b2c3d", contract="", chain=CHAIN, windows=[span])
    message = first(manifest, "window", 0)
    begun_by_celery(app, manifest, request(message.raw).kwargs["released"])
    published = broker.rpop(QUEUES[0])
    assert isinstance(published, bytes)
    assert told(message.raw) == told(published)
    for queue in QUEUES:
        assert message.queue == queue
        check_task(message.raw, queue)
        asked = request(message.raw)
        if not asked.chain:
            break
        *rest, task = asked.chain
        signature(task, app=app).apply_async((None,), chain=rest, parent_id=asked.id, root_id=asked.root_id, priority=0)
        published = broker.rpop(task["options"]["queue"])
        assert isinstance(published, bytes)
        onward = following(asked)
        assert onward is not None
        assert told(onward.raw, ids=True) == told(published, ids=True)
        assert not asked.chain, "Celery would publish it as well"
        message = onward
    assert message.queue == QUEUES[-1]
    assert following(request(message.raw)) is None
    app.close()
