"""What a worker tells whoever watches: Celery's events, a few of them at a time."""

import threading
from typing import Any

from celery.events.dispatcher import EventDispatcher

SECONDS = 0.5


class Gathered(EventDispatcher):
    """Sends the events of tasks together, half a second after the first of them, and the rest as the worker ends.

    Celery gathers them too, for one turn of its loop: that is every event by itself, before the task it tells of has
    begun. And it drops what one thread adds while another sends.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's
        super().__init__(*args, **{**kwargs, "buffer_group": ["task"], "on_send_buffered": self._remember})
        self._gathering = threading.RLock()
        self._sending: threading.Timer | None = None

    def send(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's
        """Add an event of a task; send any other."""
        with self._gathering:
            super().send(*args, **kwargs)

    def flush(self, errors: bool = True, groups: bool = True) -> None:  # noqa: FBT001, FBT002 - as Celery
        """Send what was gathered and what no broker took before; what none takes now is kept, where Celery drops it."""
        with self._gathering, self.mutex:
            self._sending, held = None, []
            if errors:
                held += [(event, key) for event, key, _ in self._outbound_buffer]
                self._outbound_buffer.clear()
            if groups and (gathered := self._group_buffer.pop("task", [])):
                held.append((gathered, "task.multi"))
            for event, key in held:
                self._publish(event, self.producer, key)

    def close(self) -> None:
        """Send what was gathered, and end."""
        self.flush()
        super().close()

    def _remember(self) -> None:
        if self._sending is None:
            self._sending = threading.Timer(SECONDS, self.flush)
            self._sending.daemon = True
            self._sending.start()
