"""Recordings of many speakers: who says what, and what the pools make of each."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxrelay.producer.producer import Producer
from voxrelay.producer.voice import Clip, TargetVoice, cut_recordings, suffixes, survey_all
from voxrelay.relay.config import Stage
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
    """An utterance, ``length`` samples at 16 kHz, and what stages made of its clips, which weigh 1 together."""

    utterance: Utterance
    length: int
    clips: list[Clip]
    made: list[dict[Stage, Tensor]]


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
    waiting: list[Heard | BadInputError] = []
    seconds, done = 0.0, 0
    for utterance in utterances:
        try:
            [recording] = survey_all([utterance.path], producer.config)
            clips = cut_recordings(str(utterance.path), [recording], producer.config, 1.0)
            waiting.append(Heard(utterance, recording.length, clips, []))
            seconds += recording.seconds
        except BadInputError as error:
            waiting.append(error)
        if seconds > _BATCH_SECONDS:
            yield from _prepare(producer, waiting, stages)
            done += len(waiting)
            on_count(done, len(utterances))
            waiting, seconds = [], 0.0
    yield from _prepare(producer, waiting, stages)
    on_count(len(utterances), len(utterances))


def _prepare(
    producer: Producer, waiting: list[Heard | BadInputError], stages: Sequence[Stage]
) -> Iterator[Heard | BadInputError]:
    good = [heard for heard in waiting if isinstance(heard, Heard)]
    clips = [_light(clip, len(good)) for heard in good for clip in heard.clips]
    made = iter(producer.prepare(TargetVoice(tuple(clips)), stages) if clips else ())
    for heard in waiting:
        yield replace(heard, made=[next(made) for _ in heard.clips]) if isinstance(heard, Heard) else heard


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
