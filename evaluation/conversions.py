"""Many conversions through the queue, several jobs in flight; what is there already is not made again."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxrelay.evaluation.pipeline import Pipeline
from voxrelay.producer.conversion import Conversion, Result
from voxrelay.producer.producer import Producer
from voxrelay.relay.errors import StageError

IN_FLIGHT = 8
OnDone = Callable[[], None]


@dataclass(frozen=True)
class Wish:
    """A conversion that is asked for: what is said in ``source``, by ``pipeline``, in the voice of ``voice``."""

    source: Path
    voice: str
    pipeline: Pipeline
    output: Path


def pace(output: Path) -> float | None:
    """Return the real-time factor of a conversion: seconds in which stages computed, per second of speech.

    Of a sound that is not a conversion, or not complete, there is none.
    """
    record = _record(output)
    return float(json.loads(record.read_text())["pace"]) if record.exists() else None


def convert(producer: Producer, wishes: Sequence[Wish], on_done: OnDone) -> dict[Path, str]:
    """Convert what is not there yet.

    Returns:
        Outputs that could not be made, and why.

    Raises:
        VoxError: a recording that cannot be used, or no relay.

    """
    failed: dict[Path, str] = {}
    waiting: deque[tuple[Wish, Conversion]] = deque()
    try:
        for wish in wishes:
            if _record(wish.output).exists():
                on_done()
                continue
            if len(waiting) == IN_FLIGHT:
                failed.update(_finish(*waiting.popleft()))
                on_done()
            waiting.append((wish, producer.submit(wish.source, wish.voice, models=wish.pipeline.models)))
        while waiting:
            failed.update(_finish(*waiting.popleft()))
            on_done()
    finally:
        for _, conversion in waiting:  # interrupted
            with conversion:
                conversion.cancel()
    return failed


def _finish(wish: Wish, conversion: Conversion) -> dict[Path, str]:
    """Fetch a conversion; one that failed is named, and the others go on."""
    wish.output.parent.mkdir(parents=True, exist_ok=True)
    with conversion:
        try:
            result = conversion.fetch(wish.output)
        except StageError as error:
            conversion.cancel()
            return {wish.output: error.what}
        except BaseException:
            conversion.cancel()
            raise
    _record(wish.output).write_text(json.dumps({"job": result.job, "pace": _pace(result)}))
    return {}


def _record(output: Path) -> Path:
    """Name the file beside an output that is written when that is complete: how long it took."""
    return output.with_suffix(".json")


def _pace(result: Result) -> float:
    """Sum the computing of windows; the voice is prepared once, however much is said with it."""
    worked = (work.times.ended - work.times.started for work in result.works if work.part == "window")
    return sum(worked) / result.seconds
