"""Recordings for training: a ``metadata.csv``, or a folder with one folder a speaker.

Only what is marked ``train`` is ever read. A folder inside a corpus that has a ``metadata.csv`` is
read through it, so that no path leads around the mark.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voxrelay.relay.errors import BadInputError

COLUMNS = ("path", "split", "corpus", "speaker", "sex", "seconds", "licence", "text")
SUFFIXES = {".wav", ".flac", ".opus", ".ogg", ".mp3"}


@dataclass(frozen=True)
class Recording:
    """One recording and what is known about it; ``sex``, ``licence`` and ``text`` may be empty.

    ``speaker`` names one person in every corpus.
    """

    path: Path
    corpus: str
    speaker: str
    sex: str = ""
    licence: str = ""
    text: str = ""


def read(data: Path) -> list[Recording]:
    """List the training recordings of a ``metadata.csv`` or a folder, in a fixed order.

    Raises:
        BadInputError: neither of the two, columns are missing, a speaker is in ``train`` and in
            another split, or there is nothing for training.

    """
    table = data if data.is_file() else _table_above(data)
    found = _from_table(table, data) if table else _from_folder(data)
    if not found:
        raise BadInputError("no recording for training", where=str(data), hint="rows with split=train, or sound files")
    return sorted(found, key=lambda recording: recording.path)


def _table_above(folder: Path) -> Path | None:
    """Return the metadata of the corpus that holds ``folder``, if it has one."""
    if not folder.is_dir():
        raise BadInputError("neither a metadata.csv nor a folder", where=str(folder))
    inside = [folder.resolve(), *folder.resolve().parents]
    return next((place / "metadata.csv" for place in inside if (place / "metadata.csv").is_file()), None)


def _from_table(table: Path, data: Path) -> list[Recording]:
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise BadInputError(f"no column {', '.join(sorted(missing))}", where=str(table))
        rows = list(reader)
    _refuse_shared_speakers(rows, table)
    root = table.resolve().parent
    below = root if data.is_file() else data.resolve()
    return [
        Recording(root / row["path"], row["corpus"], row["speaker"], row["sex"], row["licence"], row["text"])
        for row in rows
        if row["split"] == "train" and (root / row["path"]).is_relative_to(below)
    ]


def _refuse_shared_speakers(rows: Iterable[dict[str, str]], table: Path) -> None:
    """A speaker in two splits would make every figure on the other split worthless."""
    speakers: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for row in rows:
        speakers[row["split"] == "train"].add((row["corpus"], row["speaker"]))
    if both := speakers[True] & speakers[False]:
        names = ", ".join("/".join(name) for name in sorted(both)[:3])
        raise BadInputError(f"speakers in train and in another split: {names}", where=str(table))


def _from_folder(folder: Path) -> list[Recording]:
    """Take ``FOLDER/SPEAKER/**/*.wav`` and the like; files directly in the folder are one speaker's."""
    found = []
    for path in folder.resolve().rglob("*"):
        if path.suffix.lower() in SUFFIXES:
            inside = path.relative_to(folder.resolve()).parts
            found.append(Recording(path, "folder", inside[0] if len(inside) > 1 else folder.name))
    return found
