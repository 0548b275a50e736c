"""Messages that the gate of a worker refused: put aside with the reason, for people to look at."""

import time

from pydantic import BaseModel, ConfigDict

from voxrelay.relay import keys
from voxrelay.relay.connect import Client

MOST = 1000  # are kept
SHOWN = 512  # bytes of each


class Refused(BaseModel):
    """One message that was refused: when, by which pool, found where, its bytes, how it begins, and why."""

    model_config = ConfigDict(frozen=True)

    time: float
    pool: str
    found: str
    bytes: int
    begins: str
    reason: str


def put_aside(jobs: Client, pool: str, found: str, raw: bytes, reason: str, lifetime: int) -> None:
    """Keep a message's beginning, of the last ones, for ``lifetime`` seconds after the last."""
    begins = raw[:SHOWN].decode("ascii", "backslashreplace")
    entry = Refused(time=time.time(), pool=pool, found=found, bytes=len(raw), begins=begins, reason=reason)
    pipe = jobs.pipeline()
    pipe.rpush(keys.REFUSED, entry.model_dump_json())
    pipe.ltrim(keys.REFUSED, -MOST, -1)
    pipe.expire(keys.REFUSED, lifetime)
    pipe.execute()


def refused(jobs: Client) -> list[Refused]:
    """List them, oldest first."""
    return [Refused.model_validate_json(raw) for raw in jobs.lrange(keys.REFUSED, 0, -1)]
