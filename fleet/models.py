"""Weights of published models on this machine: pulled, checked, held to what they were at first.

What was downloaded, or what a person put there, gathers in ``originals/MODEL`` of the model folder until the file
that a pool reads was made of it. ``models.lock`` in the home records the hashes of both.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxrelay.fleet import catalogue, conversion
from voxrelay.fleet.catalogue import Published
from voxrelay.fleet.download import OnBytes, Remote, fetch, part_of, sha256
from voxrelay.fleet.environments import Note
from voxrelay.relay import home
from voxrelay.relay.errors import BadConfigError, UnavailableError

CONFIG = "config.json"


@dataclass
class Record:
    """What was recorded of a model: hashes of what it came as, and of what was made of it."""

    revision: str = ""
    files: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)


def pull(name: str, note: Note, on_bytes: OnBytes, *, mirror: str | None = None, offline: bool = False) -> Path:
    """Get a model's weights, unless they are there, and make of them what its pool reads.

    Args:
        name: of the model in the catalogue.
        note: is told what takes long.
        on_bytes: is told how much of a file is there.
        mirror: where to get the files instead: a hub of the same repositories, or a folder of the same files.
        offline: ask no server; take what a person put into ``originals/MODEL``.

    Returns:
        The file in the model folder.

    Raises:
        UnavailableError: no such model; or a file is not here, and cannot be got: says which, and where to put it.
        BadConfigError: a file that is another than it was or should be, or that is more than weights.

    """
    model = catalogue.find(name)
    made = home.models() / model.weights
    if made.is_file():
        return made
    folder = home.models() / "originals" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            record, new = _gather(name, model, folder, on_bytes, mirror=mirror, offline=offline)
            try:
                record.made = _make(model, folder, made, note)
            except BadConfigError:
                for file in new:
                    file.unlink()
                raise
            _remember(name, record)
            shutil.rmtree(folder)
    except OSError as error:
        raise UnavailableError(f"{error.strerror}", where=str(error.filename or folder)) from error
    return made


def verify(names: Iterable[str]) -> list[dict[str, str]]:
    """Compare the files of models with what was recorded of them; no names: all that were pulled.

    Returns:
        Of each file ``model``, ``file`` and ``state``: ``as recorded``, ``changed``, ``missing``, or ``not recorded``
        where a person put it there.

    Raises:
        UnavailableError: no such model.

    """
    records = _records()
    found = []
    for name in list(names) or records:
        weights = catalogue.find(name).weights
        wanted: dict[str, str] = records[name].made if name in records else {weights: ""}
        for file, hash_ in wanted.items():
            found.append({"model": name, "file": file, "state": _state(home.models() / file, hash_)})
    return found


def path(name: str) -> Path:
    """Return the file of a model.

    Raises:
        UnavailableError: no such model, or it is not there.

    """
    found = home.models() / catalogue.find(name).weights
    if not found.is_file():
        raise UnavailableError(f"{found.name} is not there", where=str(home.models()), hint=f"vox model pull {name}")
    return found


def table() -> list[dict[str, Any]]:
    """Return all models of the catalogue: facts, and whether they are there."""
    return [
        {
            "model": name,
            "stage": model.stage,
            "licence": model.licence,
            "megabytes": model.megabytes,
            "there": (home.models() / model.weights).is_file(),
            "file": str(home.models() / model.weights),
            "source": model.source,
            "by_hand": model.page is not None,
        }
        for name, model in catalogue.load().items()
    ]


def _gather(
    name: str,
    model: Published,
    folder: Path,
    on_bytes: OnBytes,
    *,
    mirror: str | None,
    offline: bool,
) -> tuple[Record, list[Path]]:
    """Have all files of a model in a folder, each as it should be; return their record, and those that are new."""
    missing = [file for file in model.files if not (folder / file).is_file()]
    if missing and (offline or (model.page and not mirror)):
        hint = f"get them from {model.source} and put them there, then: vox model pull {name}"
        raise UnavailableError(f"{', '.join(missing)} not here", where=str(folder), hint=hint)
    known = _records().get(name, Record())
    record = Record(known.revision or (model.revision if model.hub else ""))
    for file, pinned in model.files.items():
        wanted = pinned or known.files.get(file, "")
        if file in missing:
            remote = _remote(model, file, record.revision, mirror)
            part = part_of(folder / file, remote)
            found = fetch(remote, part, f"{name}: {file}", on_bytes)
            if found != (wanted or remote.sha256 or found):
                part.unlink()
                raise _other(remote.url.partition("?")[0], found, wanted or remote.sha256, recorded=not pinned)
            part.replace(folder / file)
            record.revision = remote.revision or record.revision
        elif (found := sha256(folder / file)) != (wanted or found):
            raise _other(str(folder / file), found, wanted, recorded=not pinned)
        record.files[file] = found
    return record, [folder / file for file in missing]


def _remote(model: Published, file: str, revision: str, mirror: str | None) -> Remote:
    if model.hub:
        return Remote.on_hub(model.hub, file, revision, mirror)
    return Remote(f"{(mirror or model.url or '').rstrip('/')}/{file}", tag="")


def _other(where: str, found: str, wanted: str, *, recorded: bool) -> BadConfigError:
    hint = f"if its publisher changed it, and you trust that, remove the model from {_lock()}"
    what = f"sha256 is {found}, wanted {wanted}: refused"
    return BadConfigError(what, where=where, hint=hint if recorded else "damaged, or another file")


def _make(model: Published, folder: Path, made: Path, note: Note) -> dict[str, str]:
    """Make of a model's files what its pool reads; return the hashes of that."""
    original = folder / model.main
    if model.kind == "checkpoint":
        conversion.check("contentvec", original, note)
        original.replace(made)
        return {made.name: sha256(made)}
    conversion.convert(model.kind, folder if model.kind == "contentvec" else original, made, note)
    if model.kind == "contentvec":
        return {made.name: sha256(made)}
    beside = made.with_suffix(".json")
    (folder / CONFIG).replace(beside)
    return {file.name: sha256(file) for file in (made, beside)}


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder while its files change."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UnavailableError("is being pulled by another command", where=folder.name) from None
    finally:
        os.close(handle)


def _state(file: Path, wanted: str) -> str:
    if not file.is_file():
        return "missing"
    if not wanted:
        return "not recorded"
    return "as recorded" if sha256(file) == wanted else "changed"


def _lock() -> Path:
    return home.home() / "models.lock"


def _records() -> dict[str, Record]:
    """Read ``models.lock``.

    Raises:
        BadConfigError: it cannot be read; what it recorded must not be forgotten silently.

    """
    try:
        return {name: Record(**record) for name, record in json.loads(_lock().read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadConfigError(f"cannot be read: {error}", where=str(_lock()), hint="mend or remove it") from error


def _remember(name: str, record: Record) -> None:
    records = {**_records(), name: record}
    part = _lock().with_suffix(".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: vars(record) for name, record in sorted(records.items())}, indent=2)
    part.write_text(f"{text}\n", encoding="utf-8")
    part.replace(_lock())
