"""Weight files: finding them, and reading none that is more than tensors."""

import hashlib
import io
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from voxrelay.relay.errors import BadConfigError, UnavailableError
from voxrelay.workers.runtime import weights


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


class Harmless:
    """A class that a checkpoint may hold when it is allowed."""

    def __init__(self) -> None:
        self.value = 7


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.pt"
    torch.save({"generator": {"weight": torch.arange(3.0)}}, path)
    return path


def test_finds_relative_to_the_model_folder(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXRELAY_MODELS", str(good.parent))
    assert weights.find("good.pt") == good


def test_finds_an_absolute_path(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXRELAY_MODELS", "/nowhere")
    assert weights.find(str(good)) == good


def test_finds_what_is_shipped_unless_the_model_folder_has_its_own(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights.home, "SHIPPED", good.parent)
    monkeypatch.setenv("VOXRELAY_MODELS", str(tmp_path / "models"))
    assert weights.find("good.pt") == good
    (tmp_path / "models").mkdir()
    own = tmp_path / "models" / "good.pt"
    own.write_bytes(good.read_bytes())
    assert weights.find("good.pt") == own


@pytest.mark.parametrize("name", ["missing.pt", "", "."])
def test_missing_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("VOXRELAY_MODELS", str(tmp_path))
    with pytest.raises(UnavailableError, match="VOXRELAY_MODELS") as caught:
        weights.find(name)
    assert str(tmp_path) in str(caught.value)
    assert repr(name) in str(caught.value)


def test_reads_tensors(good: Path) -> None:
    assert weights.load_torch(good)["generator"]["weight"].tolist() == [0, 1, 2]


def test_sha256_is_compared(good: Path) -> None:
    right = hashlib.sha256(good.read_bytes()).hexdigest()
    assert weights.load_torch(good, sha256=right.upper())
    with pytest.raises(BadConfigError, match=rf"{right}, wanted {'0' * 64}"):
        weights.load_torch(good, sha256="0" * 64)


def test_sha256_is_compared_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(BadConfigError, match="sha256"):
        weights.load_torch(tmp_path / "junk.pt", sha256="0" * 64)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, zipped: bool) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # somebody's habit must not reach us
    trace, path = tmp_path / "executed", tmp_path / "bad.pt"
    state = {"generator": {}, "extra": Command(f"touch {trace}")}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadConfigError, match=r"it holds \w+\.system") as caught:
        weights.load_torch(path)
    assert "weights_only" not in str(caught.value)
    assert not trace.exists()


def test_bare_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    trace, path = tmp_path / "executed", tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"extra": Command(f"touch {trace}")}, protocol=2))
    with pytest.raises(BadConfigError):
        weights.load_torch(path)
    assert not trace.exists()


def test_only_allowed_classes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "harmless.pt"
    torch.save({"one": Harmless()}, path)
    assert weights.load_torch(path, allowed=[Harmless])["one"].value == 7
    with pytest.raises(BadConfigError, match="Harmless"):
        weights.load_torch(path)


def _halved(blob: bytes) -> bytes:
    return blob[: len(blob) // 2]


def _flipped(blob: bytes) -> bytes:
    return blob.replace(b"generator", b"\xff" * 9, 1)


@pytest.mark.parametrize("damage", [_halved, _flipped, lambda _: b"", lambda _: b"<html>not found</html>"])
def test_damaged_files_are_told(good: Path, damage: Callable[[bytes], bytes]) -> None:
    good.write_bytes(damage(good.read_bytes()))
    with pytest.raises(BadConfigError, match=r"good\.pt: damaged"):
        weights.load_torch(good)


def test_program_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), buffer)
    (tmp_path / "script.pt").write_bytes(buffer.getvalue())
    with pytest.raises(BadConfigError, match="not a PyTorch checkpoint of tensors"):
        weights.load_torch(tmp_path / "script.pt")


def test_checkpoint_is_a_dictionary(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(BadConfigError, match="a list where"):
        weights.load_torch(tmp_path / "list.pt")


def test_importing_it_needs_no_torch() -> None:
    import subprocess

    code = "import sys; sys.modules['torch'] = None; import voxrelay.workers.runtime.weights"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
