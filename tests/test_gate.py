"""What a worker took from the broker and has not finished stands in Redis, and is written while it is worked on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from servers import Server
from voxrelay.relay.queue import broker_url
from voxrelay.workers.runtime import gate


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "redis") as found:
        yield found


@pytest.fixture
def channel(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setitem(TRANSPORT_ALIASES, "redis", f"{gate.__name__}:GatedTransport")
    monkeypatch.setattr("kombu.transport._transport_cache", {})  # of what other tests have found under that name
    with Connection(broker_url(server.url)) as connection:
        yield connection.channel()


def taken(channel: Any, tag: str) -> Any:
    """Make a message that was taken from a queue."""
    payload = {
        "body": "",
        "properties": {
            "delivery_tag": tag,
            "delivery_info": {"exchange": "", "routing_key": "mel.gr0"},
            "body_encoding": "base64",
        },
    }
    return channel.message_to_python(payload)


def noted(server: Server) -> set[bytes]:
    store = redis.Redis.from_url(server.url)
    names = set(store.hkeys("unacked"))
    assert names == set(store.zrange("unacked_index", 0, -1))
    return names


def test_what_was_taken_is_noted_after_it_was_handed_on(server: Server, channel: Any) -> None:
    for tag in ("one", "two"):
        channel.qos.append(taken(channel, tag), tag)
    assert not noted(server)
    channel.note()
    assert noted(server) == {b"one", b"two"}
    channel.qos.ack("one")
    assert noted(server) == {b"two"}


def test_what_was_done_before_it_could_be_noted_never_is(server: Server, channel: Any) -> None:
    channel.qos.append(taken(channel, "quick"), "quick")
    channel.qos.ack("quick")
    channel.note()
    assert not noted(server)
    assert channel.qos.can_consume()


def test_a_broker_that_is_gone_is_told_of(server: Server, channel: Any) -> None:
    channel.qos.append(taken(channel, "lost"), "lost")
    server.kill()
    with pytest.raises(redis.ConnectionError):
        channel.note()
    server.start()
    channel.note()
    assert not noted(server)
