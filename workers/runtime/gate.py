"""The gate: a transport of kombu that hands Celery no message which is not exactly one of ours.

What Redis answers to a pop, what it publishes and what goes back to a queue is checked as raw bytes (see
:mod:`~voxrelay.relay.message`). What does not pass is as if it had not been there: nothing decodes, decompresses or
routes it.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as transport

from voxrelay.relay import message
from voxrelay.relay.errors import BadInputError

Refuse = Callable[[str, bytes, str], None]
_NOTED_EVERY = 0.5  # seconds


def guard(refuse: Refuse) -> None:
    """Have every message that this process takes from a broker pass the gate.

    ``refuse`` is told of those that do not: where one was found, its bytes, and why.
    """
    GatedChannel.refuse = staticmethod(refuse)
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:GatedTransport"


def _passes(found: str, raw: bytes, check: Callable[[], None]) -> bool:
    try:
        check()
    except BadInputError as error:
        GatedChannel.refuse(found, raw, str(error))
        return False
    return True


class GatedSubscription(redis.client.PubSub):
    """Control messages."""

    def parse_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py has it
        """Return an answer; none for a message that is refused."""
        answer = super().parse_response(*args, **options)  # type: ignore[no-untyped-call]
        if isinstance(answer, list | tuple) and answer[0] in {b"message", b"pmessage"}:
            raw = bytes(answer[-1])
            return answer if _passes(message.CONTROL, raw, lambda: message.check_control(raw)) else None
        return answer


class GatedClient(redis.Redis):
    """Tasks."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:  # noqa: ANN401 - as redis-py
        """Return an answer; nothing popped if what was popped is refused."""
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and answer:
            queue, raw = answer[0].decode().rsplit(transport.Channel.sep, 1)[0], bytes(answer[1])
            return answer if _passes(queue, raw, lambda: message.check_task(raw, queue)) else None
        return answer

    def pubsub(self, **options: Any) -> GatedSubscription:  # noqa: ANN401 - as redis-py has it
        """Return a subscription that passes the gate as well."""
        return GatedSubscription(self.connection_pool, **options)


class GatedQoS(transport.QoS):
    """Messages that a worker took and did not finish.

    kombu notes each in Redis before its task may begin. Here they are noted every half second: most are done by then,
    and cost Redis nothing. Whoever dies before leaves a unit that leases find (:mod:`~voxrelay.relay.dispatch`).
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as kombu has it
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._unnoted: dict[str, Any] = {}
        self._noting = threading.Lock()

    def append(self, message: Any, tag: str) -> None:  # noqa: ANN401 - kombu's
        """Count a message as taken."""
        virtual.QoS.append(self, message, tag)  # type: ignore[no-untyped-call]
        self._unnoted[tag] = message

    def note(self) -> None:
        """Note in Redis what was taken since the last time; if that fails, leases alone know of it."""
        with self._noting:
            taken, self._unnoted = self._unnoted, {}
            if not taken:
                return
            with self.pipe_or_acquire() as pipe:
                for tag, message in taken.items():
                    where, raw = message.delivery_info, message._raw  # noqa: SLF001 - what kombu itself would write
                    pipe.zadd(self.unacked_index_key, {tag: time.time()})
                    pipe.hset(self.unacked_key, tag, json.dumps([raw, where["exchange"], where["routing_key"]]))
                pipe.execute()

    def ack(self, tag: str) -> None:
        """Forget a message that was worked on."""
        with self._noting:
            unnoted = self._unnoted.pop(tag, None)
        if unnoted is None:
            super().ack(tag)  # type: ignore[no-untyped-call]
        else:
            virtual.QoS.ack(self, tag)  # type: ignore[no-untyped-call]

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: Any = False) -> None:  # noqa: ANN401, FBT002 - as kombu
        """Put one back into its queue, or nowhere if it is refused."""
        self.note()
        with self.channel.conn_or_acquire(client) as opened:
            raw = opened.hget(self.unacked_key, tag)
            if raw is None or _passes(self.unacked_key, raw, lambda: message.check_unacknowledged(raw)):
                super().restore_by_tag(tag, opened, leftmost)  # type: ignore[no-untyped-call]
            else:
                self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class GatedChannel(transport.Channel):
    """A channel whose messages pass the gate."""

    QoS = GatedQoS
    refuse: Refuse
    _kept: redis.Redis | None = None

    def _get_client(self) -> type[redis.Redis]:
        return GatedClient

    @contextlib.contextmanager
    def conn_or_acquire(self, client: redis.Redis | None = None) -> Iterator[redis.Redis]:
        """Lend a client: kombu makes one for every command, which takes longer than what Redis does with it."""
        kept = client or self._kept
        if kept is None or (client is None and kept.connection_pool is not self.pool):
            kept = self._kept = self._create_client()  # type: ignore[no-untyped-call]
        yield kept

    def note(self) -> None:
        """Note in Redis what was taken."""
        if self._qos is not None:
            self._qos.note()

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:  # noqa: ARG002
        """Route by names alone: tables of routes in Redis may be anyone's. Control is answered to who asked."""
        if exchange == message.REPLIES:
            return [f"{routing_key}.{message.REPLIES}"]
        return [] if exchange else [routing_key]


class GatedTransport(transport.Transport):
    """Redis behind the gate."""

    Channel = GatedChannel

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:  # noqa: ANN401 - as kombu has it
        """Have Celery's loop note what was taken."""
        super().register_with_event_loop(connection, loop)  # type: ignore[no-untyped-call]
        loop.call_repeatedly(_NOTED_EVERY, self._note)

    def _note(self) -> None:
        with contextlib.suppress(redis.RedisError):  # the loop finds out, and connects again
            for channel in self.channels:
                channel.note()
