"""Recordings of many speakers: a ``metadata.csv``, or a folder with one folder a speaker.

A folder inside a corpus that has a ``metadata.csv`` is read through it, so that no path leads around
what it says of splits.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxrelay.relay.errors import BadInputError

COLUMNS = ("path", "split", "corpus", "speaker", "sex", "seconds", "licence", "text")
SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64"}
TRAIN = "train"


@dataclass(frozen=True)
class Utterance:
    """One recording and what is known about it; ``sex`` (``F`` or ``M``), ``licence`` and ``text`` may be empty.

    ``speaker`` names one person in every corpus; ``seconds`` is 0 where nothing says how long it is.
    Recordings that no table puts into a split are there to be trained on.
    """

    path: Path
    speaker: str
    corpus: str = "folder"
    split: str = TRAIN
    sex: str = ""
    seconds: float = 0.0
    licence: str = ""
    text: str = ""


def read(place: Path, split: str = "") -> list[Utterance]:
    """List recordings in the order of their paths.

    Args:
        place: a table (CSV with the columns path, relative to it, and speaker, perhaps more of :data:`COLUMNS`);
            a folder, whose sub-folders are a speaker each, sounds beside them being the folder's own;
            or one recording, whose folder is its speaker.
        split: keep recordings of this split alone; empty keeps all.

    Raises:
        BadInputError: it is none of these, lacks a column, or has no such recording.

    """
    place = place.resolve() if place.is_dir() else place.absolute()
    table = place if place.suffix.lower() == ".csv" else _table_above(place) if place.is_dir() else None
    if table:
        found = [one for one in _of_table(table) if place == table or one.path.is_relative_to(place)]
    elif place.is_dir():
        found = list(_of_folder(place))
    elif place.is_file():
        found = [Utterance(place, place.parent.name)]
    else:
        raise BadInputError("neither a folder, a table nor a recording", where=str(place), hint="check the path")
    kept = sorted((one for one in found if split in ("", one.split)), key=lambda one: one.path)
    if not kept:
        what = f"no recordings of split {split!r}" if split else "no recordings"
        raise BadInputError(what, where=str(place), hint="a metadata.csv, or FOLDER/SPEAKER/*.wav")
    return kept


def _table_above(folder: Path) -> Path | None:
    """Return the table of the corpus that holds a folder, if it has one."""
    return next((at / "metadata.csv" for at in [folder, *folder.parents] if (at / "metadata.csv").is_file()), None)


def _of_table(table: Path) -> Iterator[Utterance]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if missing := {"path", "speaker"} - set(rows.fieldnames or ()):
                raise BadInputError(f"no column {', '.join(sorted(missing))}", where=str(table),
                                    hint=f"found {', '.join(rows.fieldnames or ())}")  # fmt: skip
            for row in rows:
                known = {name: row[name] or "" for name in ("corpus", "split", "sex", "licence", "text") if name in row}
                seconds = float(row.get("seconds") or 0)
                yield Utterance(table.parent / row["path"], row["speaker"], seconds=seconds, **known)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise BadInputError(f"cannot be read ({error})", where=str(table)) from error


def _of_folder(folder: Path) -> Iterator[Utterance]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            inside = path.relative_to(folder).parts
            yield Utterance(path, inside[0] if len(inside) > 1 else folder.name)
