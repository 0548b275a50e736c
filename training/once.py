"""What takes minutes to make is made once, by whoever comes first, and is there as a whole or not at all."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)


@contextmanager
def once(made: Path) -> Iterator[bool]:
    """Keep other processes of this machine from making a file, and say whether it is still to be made."""
    if made.exists():
        yield False
        return
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_name(f"{made.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("another process makes %s: waiting for it", made)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield not made.exists()


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give a path to write a file to, whose place that takes once all is written."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    yield unfinished
    unfinished.replace(file)
