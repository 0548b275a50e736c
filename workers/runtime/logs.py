"""What a worker logs: lines for people, or with ``VOXRELAY_LOG=json`` an object a line that names the job.

Passwords of URLs are hidden in both.
"""

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from voxrelay.relay.config import mask
from voxrelay.relay.errors import BadConfigError, VoxError

VARIABLE = "VOXRELAY_LOG"
_about: ContextVar[dict[str, Any]] = ContextVar("about")


class JsonLines(logging.Formatter):
    """One JSON object a record: when, how bad, who, what, and which unit of which job it is about."""

    def __init__(self, pool: str) -> None:
        super().__init__()
        self.who = {"pool": pool, "host": socket.gethostname(), "process": os.getpid()}

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as a line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{moment}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            **self.who,
            **_about.get({}),
            **getattr(record, "about", {}),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return mask(json.dumps(line, default=str))


class Lines(logging.Formatter):
    """A line a record, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as a line, or more with a traceback."""
        return mask(super().format(record))


def set_up(pool: str) -> None:
    """Let the root logger write to standard error; with JSON also that a stage has ended on a unit.

    Raises:
        BadConfigError: the variable asks for something else.

    """
    wanted = os.environ.get(VARIABLE) or "text"
    if wanted not in ("text", "json"):
        raise BadConfigError(f"{VARIABLE}={wanted}", hint="text or json")
    handler = logging.StreamHandler()
    if wanted == "json":
        handler.setFormatter(JsonLines(pool))
        logging.getLogger("voxrelay").setLevel(logging.INFO)
        logging.captureWarnings(True)  # noqa: FBT003 - its only argument
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Celery greets people there
    else:
        handler.setFormatter(Lines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


@contextmanager
def about(**facts: object) -> Iterator[None]:
    """Say of everything that this thread logs what it is about."""
    token = _about.set(facts)
    try:
        yield
    finally:
        _about.reset(token)


def complain(error: VoxError) -> None:
    """Say why this process ends: as a line ``error: ...``, which whoever started it reads, or as JSON."""
    if os.environ.get(VARIABLE) == "json":
        logging.getLogger("voxrelay").error("%s", error)
    else:
        sys.stderr.write(f"error: {mask(str(error))}\n")
