"""Recordings to evaluate on: a ``metadata.csv``, or a folder with one folder a speaker."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from voxrelay.relay.errors import BadInputError

_SUFFIXES = {".wav", ".flac", ".opus", ".ogg", ".mp3", ".aiff"}


@dataclass(frozen=True)
class Recording:
    """One recording and what is known about it; ``sex`` (``F`` or ``M``) and ``text`` may be empty."""

    path: Path
    corpus: str
    speaker: str
    sex: str
    seconds: float
    text: str


def read(data: Path, split: str = "") -> list[Recording]:
    """List recordings in the order of their paths.

    A folder inside a corpus that has a ``metadata.csv`` is read through it. In any other folder each
    sub-folder is a speaker, or, if there is none, each file.

    Args:
        data: ``metadata.csv`` (columns path, speaker; also split, corpus, sex, seconds, text) or a folder.
        split: keep rows of this split alone; empty keeps all.

    Raises:
        BadInputError: it is neither, lacks a column, or has no such recording.

    """
    table = data if data.is_file() else _table_above(data)
    if table is None and split:
        raise BadInputError("a folder without a metadata.csv has no splits", where=str(data), hint="leave --split out")
    found = sorted(_from_table(table, data, split) if table else _from_folder(data), key=lambda one: one.path)
    if not found:
        what = f"no recordings of split {split!r}" if split else "no recordings"
        raise BadInputError(what, where=str(data), hint="a metadata.csv, or FOLDER/SPEAKER/*.wav")
    return found


def read_training(data: Path) -> list[Recording]:
    """List the recordings that models were trained on: those of split ``train`` where splits are named."""
    return read(data, "train" if data.is_file() or _table_above(data) else "")


def _table_above(folder: Path) -> Path | None:
    if not folder.is_dir():
        raise BadInputError("neither a metadata.csv nor a folder", where=str(folder), hint="check the path")
    inside = [folder.resolve(), *folder.resolve().parents]
    return next((place / "metadata.csv" for place in inside if (place / "metadata.csv").is_file()), None)


def _from_table(table: Path, data: Path, split: str) -> Iterator[Recording]:
    root = table.resolve().parent
    below = root if data.is_file() else data.resolve()
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if missing := {"path", "speaker"} - set(reader.fieldnames or ()):
            raise BadInputError(f"no column {', '.join(sorted(missing))}", where=str(table))
        for row in reader:
            path = root / row["path"]
            if path.is_relative_to(below) and (not split or row.get("split") == split):
                seconds = float(row.get("seconds") or 0) or _seconds(path)
                corpus, sex, text = (row.get(name) or "" for name in ("corpus", "sex", "text"))
                yield Recording(path, corpus, row["speaker"], sex, seconds, text)


def _from_folder(folder: Path) -> Iterator[Recording]:
    files = [path for path in folder.resolve().rglob("*") if path.suffix.lower() in _SUFFIXES]
    flat = all(path.parent == folder.resolve() for path in files)
    for path in files:
        speaker = path.stem if flat else path.relative_to(folder.resolve()).parts[0]
        yield Recording(path, corpus="", speaker=speaker, sex="", seconds=_seconds(path), text="")


def _seconds(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError as error:
        raise BadInputError("is not audio that can be read", where=str(path)) from error
