"""Events of tasks reach whoever watches, also when the broker was away while they were made."""

import base64
import json
from pathlib import Path

import redis
from celery import Celery

from servers import Server
from voxrelay.relay.queue import broker_url
from voxrelay.workers.runtime.events import Gathered


def received(subscription: redis.client.PubSub) -> list[str]:
    """Return the units of the events that were published, in order."""
    units: list[str] = []
    while message := subscription.get_message(timeout=1.0):
        if message["type"] == "pmessage":
            body = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
            units += [event["uuid"] for event in body]
    return units


def watch(server: Server) -> redis.client.PubSub:
    subscription = redis.Redis.from_url(server.url).pubsub()
    subscription.psubscribe("/0.celeryev/*")
    subscription.get_message(timeout=1.0)
    return subscription


def test_events_that_no_broker_took_are_sent_when_one_is_back(tmp_path: Path) -> None:
    with Server(tmp_path / "redis") as server:
        app = Celery(broker=broker_url(server.url), set_as_current=False)
        with app.connection_for_write() as connection:
            events = Gathered(connection, app=app, hostname="worker")
            watching = watch(server)
            events.send("task-started", uuid="before")
            events.flush()
            assert received(watching) == ["before"]
            server.kill()
            for unit in ("one", "two"):
                events.send("task-started", uuid=unit)
                events.flush()  # nobody takes it
            server.start()
            watching = watch(server)
            events.send("task-started", uuid="three")
            events.flush()
            assert received(watching) == ["one", "two", "three"]
