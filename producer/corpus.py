"""Recordings of many speakers: who says what, and what the pools make of each."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from voxrelay.producer.producer import Producer
from voxrelay.producer.voice import Clip, TargetVoice, cut_recordings, suffixes, survey_all
from voxrelay.relay import clock
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Tensor

# Seconds of sound whose clips are prepared in one job: what Redis holds at a time.
_BATCH_SECONDS = 300.0
OnCount = Callable[[int, int], None]


@dataclass(frozen=True)
class Utterance:
    """One recording, whose it is, and the speaker's sex if it is known: F or M."""

    path: Path
    speaker: str
    sex: str = ""


@dataclass(frozen=True)
class Heard:
    """An utterance, ``length`` samples at 16 kHz, and what stages made of its clips, whose weights add up to 1."""

    utterance: Utterance
    length: int
    weights: list[float]
    made: list[dict[Stage, Tensor]]


@dataclass(frozen=True)
class _Waiting:
    """An utterance whose clips are to be prepared; or what is wrong with it."""

    utterance: Utterance
    length: int = 0
    clips: Sequence[Clip] = ()
    error: BadInputError | None = None

    @classmethod
    def read(cls, utterance: Utterance, config: Config) -> Self:
        try:
            [recording] = survey_all([utterance.path], config)
            clips = cut_recordings(str(utterance.path), [recording], config, 1.0)
        except BadInputError as error:
            return cls(utterance, error=error)
        return cls(utterance, recording.length, clips)


def find_utterances(places: Iterable[Path], split: str = "") -> list[Utterance]:
    """List recordings: each by itself, of folders, or of tables, in the order of their names or rows.

    In a folder, at any depth, the folder that holds a recording is its speaker. A table is a CSV with the
    columns ``path`` (relative to it) and ``speaker``, and perhaps ``sex`` and ``split``.

    Raises:
        BadInputError: there is nothing, or a table lacks a column.

    """
    found: list[Utterance] = []
    for place in places:
        more = list(_of_table(place, split) if place.suffix.lower() == ".csv" else _of_folder(place.resolve()))
        if not more:
            what = f"no recordings of split {split!r}" if split else "no recordings"
            raise BadInputError(what, where=str(place), hint="a folder of speakers' folders, or a CSV")
        found += more
    return found


def hear(
    producer: Producer, utterances: Sequence[Utterance], stages: Sequence[Stage], on_count: OnCount
) -> Iterator[Heard | BadInputError]:
    """Have stages prepare utterances, some minutes of them in one job; yields in order, errors for unusable ones."""
    waiting: list[_Waiting] = []
    for done, utterance in enumerate(utterances, 1):
        waiting.append(_Waiting.read(utterance, producer.config))
        seconds = sum(one.length for one in waiting) / clock.RATE
        if seconds > _BATCH_SECONDS or done == len(utterances):
            yield from _prepare(producer, waiting, stages)
            on_count(done, len(utterances))
            waiting = []


def _prepare(producer: Producer, waiting: list[_Waiting], stages: Sequence[Stage]) -> Iterator[Heard | BadInputError]:
    clips = [_light(clip, len(waiting)) for one in waiting for clip in one.clips]
    made = iter(producer.prepare(TargetVoice(tuple(clips)), stages) if clips else ())
    for one in waiting:
        weights = [clip.reference.weight for clip in one.clips]
        yield one.error or Heard(one.utterance, one.length, weights, [next(made) for _ in one.clips])


def _light(clip: Clip, count: int) -> Clip:
    """Weigh a clip so that those of ``count`` utterances add up to 1."""
    return replace(clip, reference=clip.reference.model_copy(update={"weight": clip.reference.weight / count}))


def _of_folder(folder: Path) -> Iterator[Utterance]:
    if folder.is_file():
        yield Utterance(folder, folder.parent.name)
    kinds = suffixes()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in kinds and path.is_file():
            yield Utterance(path, path.parent.name)


def _of_table(table: Path, split: str) -> Iterator[Utterance]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            wanted = {"path", "speaker", *(["split"] if split else [])}
            if missing := wanted - set(rows.fieldnames or ()):
                raise BadInputError(f"no column {', '.join(sorted(missing))}", where=str(table),
                                    hint=f"found {', '.join(rows.fieldnames or ())}")  # fmt: skip
            for row in rows:
                if not split or row["split"] == split:
                    yield Utterance(table.parent / row["path"], row["speaker"], row.get("sex") or "")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"cannot be read ({error})", where=str(table)) from error
