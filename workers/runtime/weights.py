"""Weight files: where they lie, and reading them without executing what they hold."""

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxrelay.relay import home
from voxrelay.relay.errors import BadConfigError, UnavailableError


def find(name: str, holding: str = "") -> Path:
    """Return the weight file an operator named: absolute, in the model folder, or shipped with voxrelay.

    With ``holding``, a folder that holds a file of that name will do as well.

    Raises:
        UnavailableError: there is no such file.

    """
    folder, wanted = home.models(), Path(name).expanduser()

    def fits(path: Path) -> bool:
        return path.is_file() or (bool(holding) and (path / holding).is_file())

    path = next((place / wanted for place in (folder, home.SHIPPED) if fits(place / wanted)), None)
    if path is None:
        hint = "`vox model list` says where to get it; put it there, or set VOXRELAY_MODELS to its folder"
        raise UnavailableError(f"no weight file {name!r}", where=str(folder), hint=hint)
    return path


def load_torch(path: Path, *, sha256: str = "", allowed: Sequence[type | tuple[type, str]] = ()) -> dict[str, Any]:
    """Read a PyTorch checkpoint onto the CPU.

    Only tensors, plain containers and the ``allowed`` classes are unpickled: see
    https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only.

    Args:
        path: the file.
        sha256: what the file's hash must be, in hexadecimal; empty: any.
        allowed: classes that this format needs besides tensors; a pair is a class and the name it stands for.

    Raises:
        BadConfigError: another hash, another class, a damaged file, or no dictionary.

    """
    import torch

    if sha256:
        _check_hash(path, sha256)
    try:
        with torch.serialization.safe_globals(list(allowed)):
            # mapped: the optimiser state that many checkpoints carry is then never read
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a damaged file fails in whichever way its bytes lead
        raise BadConfigError(_reason(error), where=str(path), hint="get the file again from its source") from error
    if not isinstance(state, dict):
        raise BadConfigError(f"a {type(state).__name__} where a checkpoint is a dictionary", where=str(path))
    return state


def load_safetensors(path: Path, *, sha256: str = "") -> tuple[dict[str, Any], dict[str, str]]:
    """Read a safetensors file onto the CPU: its tensors by name, and the facts in its header.

    Raises:
        BadConfigError: another hash, or a damaged file.

    """
    import safetensors

    if sha256:
        _check_hash(path, sha256)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        what = "damaged, or not a safetensors file"
        raise BadConfigError(what, where=str(path), hint="get the file again from its source") from error


def save_safetensors(path: Path, tensors: Mapping[str, Any], facts: Mapping[str, str] | None = None) -> None:
    """Write tensors, and facts into the header, to a file that everybody may read."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt", **(facts or {})})
    path.chmod(0o644)  # safetensors makes it private; pools may run as somebody else


def _check_hash(path: Path, wanted: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted.lower():
        raise BadConfigError(f"sha256 is {found}, wanted {wanted}", where=str(path), hint="another file, or damaged")


def _reason(error: Exception) -> str:
    """Say why a load failed, without PyTorch's advice to switch its protection off."""
    if refused := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"refused: it holds {refused[1]}, weights are tensors only"
    return "damaged, or not a PyTorch checkpoint of tensors"
