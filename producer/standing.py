"""How far a batch has come: rows, windows by stage, and when it will be done."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import soundfile

from voxrelay.relay import clock
from voxrelay.relay.config import STAGES, Config, Stage
from voxrelay.relay.job import Manifest, Part

if TYPE_CHECKING:
    from voxrelay.producer.rows import Row

# How a row ends; ``before``: an earlier run had converted it.
Ended = Literal["done", "failed", "before"]


@dataclass(frozen=True)
class Standing:
    """How far a batch has come.

    ``windows``: of all rows that this run converts, as far as their headers tell; ``stages``: on how many of
    them each stage has ended. ``clips`` of voices that were prepared. ``seconds`` of speech that this run has
    converted, in ``elapsed`` seconds.
    """

    rows: int
    done: int
    failed: int
    before: int
    windows: int
    stages: Mapping[Stage, int]
    clips: int
    seconds: float
    elapsed: float

    @property
    def factor(self) -> float | None:
        """Real-time factor: seconds that a second of speech takes; None before anything is done."""
        return self.elapsed / self.seconds if self.seconds else None

    @property
    def left(self) -> float | None:
        """Seconds until all is done, at the pace so far; None before anything is done."""
        done = self.stages[STAGES[-1]]
        return self.elapsed * max(self.windows - done, 0) / done if done else None


class Tally:
    """Counts what the stages of many jobs end on, each thing once."""

    def __init__(self, rows: Collection["Row"], config: Config) -> None:
        self.rows, self.config = len(rows), config
        self._began = time.monotonic()
        self._expected = {row.output: _windows(row.source, config) for row in rows}
        self._seen: dict[str, set[tuple[Part, int, Stage]]] = {}
        self._ended: dict[Ended, int] = {"done": 0, "failed": 0, "before": 0}
        self._stages: dict[Stage, int] = dict.fromkeys(STAGES, 0)
        self._clips, self._seconds, self._windows = 0, 0.0, sum(self._expected.values())

    def launch(self, row: "Row", manifest: Manifest) -> None:
        """Take note of a job: now it is known how many windows it has."""
        self._seen[manifest.id] = set()
        self._expect(row, len(manifest.windows))

    def count(self, job: str, part: Part, index: int, stage: Stage) -> None:
        """Count that a stage has ended on a window or a reference."""
        if (part, index, stage) in self._seen[job]:
            return
        self._seen[job].add((part, index, stage))
        if part == "window":
            self._stages[stage] += 1
        elif stage == "mel":
            self._clips += 1

    def count_event(self, job: str, fields: Mapping[bytes, bytes]) -> None:
        """Count an entry of a job's stream."""
        part, stage = fields[b"part"].decode(), fields[b"stage"].decode()
        self.count(job, cast("Part", part), int(fields[b"index"]), cast("Stage", stage))

    def land(self, job: str) -> None:
        """Forget a job that has ended."""
        del self._seen[job]

    def settle(self, row: "Row", state: Ended, seconds: float) -> None:
        """Take note that a row is over, and of the speech that was converted; windows of other rows do not count."""
        self._ended[state] += 1
        if state == "done":
            self._seconds += seconds
        else:
            self._expect(row, 0)

    def standing(self) -> Standing:
        """Say how far it is."""
        return Standing(
            rows=self.rows,
            **self._ended,
            windows=self._windows,
            stages=dict(self._stages),
            clips=self._clips,
            seconds=self._seconds,
            elapsed=time.monotonic() - self._began,
        )

    def _expect(self, row: "Row", windows: int) -> None:
        self._windows += windows - self._expected[row.output]
        self._expected[row.output] = windows


def _windows(path: Path, config: Config) -> int:
    """Count the windows of a recording as its header tells; none if it cannot be read."""
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.SoundFileError):
        return 0
    samples = round(min(info.frames / info.samplerate, config.limits.source) * clock.RATE)
    return len(config.window.cut(samples)) if samples else 0
