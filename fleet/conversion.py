"""Weights to safetensors, in the environment of a pool: only there is torch, and what a checkpoint needs."""

import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from voxrelay.fleet import environments
from voxrelay.fleet.environments import Note
from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadConfigError, BadInputError, Exit, StageError

Kind = Literal["contentvec", "generator"]
_PROGRAMS: dict[Kind, tuple[str, str]] = {  # environment, program
    "contentvec": ("content-transformers", "voxrelay.workers.content.convert"),
    "generator": ("content", "voxrelay.workers.runtime.convert"),
}


def convert(kind: Kind, weights: Path, out: Path, note: Note) -> None:
    """Convert weights; pickles are read as tensors only.

    Args:
        kind: ``contentvec``: a legacy checkpoint of fairseq, or a folder as on the hub, becomes a file in the
            layout of transformers, or a folder unless ``out`` ends with ``.safetensors``; ``generator``: a vocoder
            ``{'generator': state_dict}`` becomes a file of its tensors.
        weights: what is converted.
        out: what is written, whole or not at all.
        note: is told what takes long.

    Raises:
        BadInputError: there is nothing to convert, or no place for the result.
        BadConfigError: no such weights, or more than weights.

    """
    if not weights.exists():
        raise BadInputError("no such file", where=str(weights), hint="check the path")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise BadInputError("is a folder that exists" if out.is_dir() else "no such folder", where=str(out))
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as folder:
        made = Path(folder) / out.name
        _run(kind, note, weights, made)
        made.replace(out)


def check(kind: Kind, weights: Path, note: Note) -> None:
    """See that a file holds such weights and nothing more, by converting it to nowhere.

    Raises:
        BadConfigError: it does not.

    """
    with tempfile.TemporaryDirectory() as folder:
        _run(kind, note, weights, Path(folder) / "weights.safetensors")


def _run(kind: Kind, note: Note, weights: Path, out: Path) -> None:
    name, program = _PROGRAMS[kind]
    environment = environments.find(name)
    environments.ensure(configuration.load(), [name], note)
    note(f"reading the tensors of {weights.name}")
    done = subprocess.run(  # noqa: S603 - our own command
        [str(environment.python), "-P", "-m", program, str(weights), str(out)],
        env=environments.variables(environment, 1),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().rpartition("error: ")[2] or "it gave no reason"
        raise (BadConfigError if done.returncode == Exit.BAD_CONFIG else StageError)(reason, where="conversion")
