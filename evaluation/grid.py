"""One recording and one voice through every combination of some models, judged on one page."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxrelay.evaluation import judging, sounds, voices
from voxrelay.evaluation.conversions import Wish, convert, pace
from voxrelay.evaluation.pipeline import Pipeline
from voxrelay.evaluation.run import OnProgress, counter
from voxrelay.producer.producer import Producer
from voxrelay.producer.voice import find_recordings
from voxrelay.relay.comparison import Comparison, Row, Trial
from voxrelay.relay.config import Config
from voxrelay.relay.errors import StageError

VOICE_SECONDS = 30  # of the target's recordings, that are listened to at least; twice that at most
_SOURCE, _TARGET = "source.wav", "target.wav"
_PAIR = "source to target"


@dataclass(frozen=True)
class Grid:
    """What is compared: ``source`` said in ``voice``, a file, folder or glob, by every one of ``pipelines``."""

    source: Path
    voice: str
    pipelines: Sequence[Pipeline]


def combine(config: Config, contents: str, mels: str, vocoders: str) -> list[Pipeline]:
    """Combine models named with commas between them; of a stage that names none, that of ``queues.yml``.

    Raises:
        BadConfigError: there is no such model.

    """
    default = Pipeline.default(config)
    lists = zip((contents, mels, vocoders), default.models.values(), strict=True)
    stages = [[name.strip() for name in (names or usual).split(",")] for names, usual in lists]
    return [Pipeline.parse("+".join(models), config) for models in itertools.product(*stages)]


def check(
    producer: Producer, grid: Grid, judges: Path, folder: Path, page: Path, on_progress: OnProgress
) -> dict[str, Any]:
    """Convert, judge, and write the page.

    Args:
        producer: with the relay to use.
        grid: what is compared.
        judges: folder of the judges' weights.
        folder: for the sounds, empty.
        page: HTML file to write.
        on_progress: is told of every step how much of it is done, of how much.

    Returns:
        The measures of every row.

    Raises:
        StageError: a conversion failed.

    """
    sounds.write(folder / _SOURCE, sounds.read(grid.source))
    sounds.write(folder / _TARGET, sounds.joined(find_recordings(grid.voice), VOICE_SECONDS))
    wishes = [Wish(grid.source, grid.voice, one, folder / f"{one}.wav") for one in grid.pipelines]
    for output, why in convert(producer, wishes, counter(on_progress, "conversions", len(wishes))).items():
        raise StageError(why, where=output.stem)
    names = [_TARGET, _SOURCE, *(wish.output.name for wish in wishes)]
    voices.embed(producer, folder, [folder / name for name in names], counter(on_progress, "embeddings", len(names)))
    Comparison(rows=_rows(grid), trials=[_trial(folder, name) for name in names]).write(folder)
    return judging.grid(producer, folder, judges, page, on_progress)


def _rows(grid: Grid) -> list[Row]:
    piped = [Row(name=str(one), kind="pipeline", pipeline=str(one)) for one in grid.pipelines]
    return [Row(name="target", kind="ground truth"), Row(name="source", kind="source"), *piped]


def _trial(folder: Path, name: str) -> Trial:
    return Trial(
        row=name.removesuffix(".wav"),
        pair=_PAIR,
        group="any",
        sound=name,
        source=_SOURCE,
        reference=_TARGET,
        pace=pace(folder / name),
    )
