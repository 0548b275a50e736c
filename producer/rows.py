"""The rows of a batch: what is converted, into which voice, and where to. From a CSV file, or of a whole folder."""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from voxrelay.producer.asked import split_weight
from voxrelay.producer.output import check_suffix, settled
from voxrelay.relay.config import STAGES, Config, Stage
from voxrelay.relay.corpus import SUFFIXES
from voxrelay.relay.errors import BadInputError

COLUMNS = ("source", "voice", "output", "transpose", "similarity", "allow_gaps", *STAGES)
_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no"}


@dataclass(frozen=True)
class Options:
    """How a row is converted, as for ``Producer.convert``."""

    models: Mapping[Stage, str] = field(default_factory=dict)
    transpose: float | None = None
    similarity: float = 1.0
    allow_gaps: bool = False


@dataclass(frozen=True)
class Row:
    """One conversion of a batch; the voices are blended."""

    source: Path
    voice: tuple[str, ...]
    output: Path
    options: Options = Options()


def read_rows(source: Path, voices: Sequence[str], folder: Path, options: Options, config: Config) -> list[Row]:
    """Read the rows of a batch, in the order in which they are converted.

    Args:
        source: a CSV file with the columns ``source``, and as wanted ``voice``, ``output``, ``transpose``,
            ``similarity``, ``allow_gaps`` and a model by stage; its paths are relative to it, outputs to ``folder``.
            Or a folder, all of whose recordings are converted.
        voices: what a row without a voice is converted to, each in turn; ``anna:0.6+ben:0.4`` is a blend.
        folder: where the outputs go. Those without a name are named as their source, and lie in a folder
            for each voice if there are several.
        options: of rows that do not say.
        config: knows the models.

    Raises:
        BadInputError: a row, by its line, that nothing can be made of; or two with the same output.
        BadConfigError: there is no such model.

    """
    if source.is_dir():
        rows = [
            Row(path, blend(voice), _named(path.relative_to(source), folder, voice, voices), options)
            for voice in _wanted(voices, str(source))
            for path in _recordings(source, folder)
        ]
    else:
        rows = list(_lines(source, voices, folder, options))
    if not rows:
        raise BadInputError("holds nothing to convert", where=str(source))
    _check(rows, folder, config)
    return rows


def blend(voice: str, base: Path = Path()) -> tuple[str, ...]:
    """Read a voice: the parts of a blend are joined by ``+``; a path is relative to ``base``."""
    whole = _placed(voice, base)
    parts = [whole] if Path(split_weight(whole)[0]).exists() else voice.split("+")
    return tuple(_placed(part, base) for part in parts)


def _placed(name: str, base: Path) -> str:
    """Return the path that a relative name is, if there is such a file or it is a glob; else it is a saved voice."""
    bare = Path(split_weight(name)[0]).expanduser()
    if base == Path() or bare.is_absolute():
        return name
    found = (base / bare).exists() or any(sign in name for sign in "*?[")
    return os.path.join(base, name) if found else name  # noqa: PTH118 - a leading ./ stays: it means a file


def _recordings(folder: Path, but: Path) -> list[Path]:
    """Find the recordings of a folder and those below, hidden ones and what a batch wrote left out."""
    out = but.resolve()
    inside = out != folder.resolve()
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() not in SUFFIXES or hidden or not path.is_file():
            continue
        if not inside or not path.resolve().is_relative_to(out):
            found.append(path)
    return found


def _lines(table: Path, voices: Sequence[str], folder: Path, options: Options) -> Iterator[Row]:
    """Read the lines of a CSV file; one without a voice is a row for each of ``voices``."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_columns(table, reader.fieldnames or [])
            for cells in reader:
                yield from _line(f"{table}:{reader.line_num}", cells, table.parent, voices, folder, options)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(f"cannot be read: {reason}", where=str(table), hint="a CSV file or a folder") from error


def _check_columns(table: Path, found: Sequence[str]) -> None:
    if unknown := [name for name in found if name not in COLUMNS]:
        hint = f"columns are {', '.join(COLUMNS)}"
        raise BadInputError(f"unknown columns {', '.join(unknown)}", where=str(table), hint=hint)
    if "source" not in found:
        raise BadInputError("has no column source", where=str(table), hint="its first line names the columns")


def _line(
    where: str, raw: Mapping[str, str | None], base: Path, voices: Sequence[str], folder: Path, options: Options
) -> Iterator[Row]:
    if None in raw:
        raise BadInputError("has more cells than columns", where=where, hint="quote what holds a comma")
    cells = {name: (value or "").strip() for name, value in raw.items()}
    if not cells["source"]:
        raise BadInputError("no source", where=where)
    source, own = base / Path(cells["source"]).expanduser(), cells.get("voice", "")
    for voice in [own] if own else _wanted(voices, where):
        if cells.get("output"):
            output = folder / cells["output"]
        else:
            name = source.relative_to(base) if source.is_relative_to(base) else Path(source.name)
            output = _named(name, folder, voice, [] if own else voices)
        yield Row(source, blend(voice, base if own else Path()), output, _options(where, cells, options))


def _wanted(voices: Sequence[str], where: str) -> Sequence[str]:
    if not voices:
        raise BadInputError("no voice", where=where, hint="--voice names one for all that name none")
    return voices


def _options(where: str, cells: Mapping[str, str], options: Options) -> Options:
    models = {stage: cells[stage] for stage in STAGES if cells.get(stage)}
    read = replace(options, models={**options.models, **models})
    if transpose := cells.get("transpose"):
        read = replace(read, transpose=semitones(transpose, where))
    if similarity := cells.get("similarity"):
        read = replace(read, similarity=_number(similarity, "similarity", where))
    if gaps := cells.get("allow_gaps", "").lower():
        if gaps not in _YES | _NO:
            raise BadInputError(f"allow_gaps {gaps!r}", where=where, hint="yes or no")
        read = replace(read, allow_gaps=gaps in _YES)
    return read


def semitones(wanted: str, where: str) -> float | None:
    """Read a number of semitones; None for ``auto``.

    Raises:
        BadInputError: it is neither.

    """
    return None if wanted == "auto" else _number(wanted, "transpose", where, "a number of semitones, or auto")


def _number(wanted: str, name: str, where: str, hint: str = "a number") -> float:
    try:
        return float(wanted)
    except ValueError as error:
        raise BadInputError(f"{name} {wanted!r}", where=where, hint=hint) from error


def _named(source: Path, folder: Path, voice: str, voices: Sequence[str]) -> Path:
    """Name the output after its source, in a folder for each voice if there are several."""
    output = source.with_suffix(".wav")
    return folder / _label(voice) / output if len(voices) > 1 else folder / output


def _label(voice: str) -> str:
    """Name a folder after a voice: saved ones as they are, files without their suffix."""
    parts = [split_weight(part) for part in voice.split("+")]
    names = [Path(name).stem if Path(name).suffix.lower() in SUFFIXES else Path(name).name for name, _ in parts]
    weighed = [name if weight is None else f"{name}-{weight:g}" for name, (_, weight) in zip(names, parts, strict=True)]
    return re.sub(r"[^\w.+-]+", "-", "+".join(weighed)).lstrip(".") or "voice"


def _check(rows: Sequence[Row], folder: Path, config: Config) -> None:
    """Refuse a batch whose outputs are not files of their own within the folder, or with models there are not."""
    sources, outputs, root = {row.source.resolve() for row in rows}, dict[Path, Row](), folder.resolve()
    for row in rows:
        path, where = settled(row.output), str(row.output)
        check_suffix(row.output)
        if not path.is_relative_to(root):
            raise BadInputError("lies outside of the folder of outputs", where=where, hint=f"not in {folder}")
        if path in sources:
            raise BadInputError("is a source and an output", where=where, hint="choose another folder")
        if path in outputs:
            both = f"{outputs[path].source} and {row.source}"
            raise BadInputError(f"is the output of two: {both}", where=where, hint="name outputs in a CSV file")
        outputs[path] = row
    for models in {tuple(row.options.models.items()) for row in rows}:
        for stage, model in models:
            config.model(stage, model)
