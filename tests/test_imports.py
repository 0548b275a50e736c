"""Who may import whom: cli -> producer -> fleet -> relay <- workers, no stage another stage."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

ALLOWED = {
    "api": {"producer", "relay"},
    "cli": {"cli", "evaluation", "producer", "fleet", "relay"},
    "evaluation": {"evaluation", "producer", "fleet", "relay"},
    "producer": {"producer", "fleet", "relay"},
    "fleet": {"fleet", "relay"},
    "relay": {"relay"},
    "workers": {"workers", "relay"},
    "training": {"training", "workers", "relay"},
    "checks": {"checks", "workers", "relay"},
    "monitoring": {"monitoring", "relay"},
}
HEAVY = {"torch", "librosa", "resemblyzer", "fairseq", "transformers", "safetensors", "sklearn", "scipy", "matplotlib"}
FILES = [path for room in ALLOWED for path in sorted((ROOT / room).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    room, *rest = path.relative_to(ROOT).parts
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "voxrelay" and len(parts) > 1:
            assert parts[1] in ALLOWED[room], f"{path} imports {name}"
            if room == "workers" and parts[1] == "workers" and len(parts) > 3:
                assert parts[2] in {"runtime", rest[0]}, f"{path} imports another stage: {name}"
        if room not in {"workers", "training", "checks"}:
            assert parts[0] not in HEAVY, f"{path} imports {name}"
        assert parts[0] not in {"pickle", "dill", "cloudpickle", "joblib"}, f"{path} imports {name}"


def loaded_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return set(done.stdout.split("MODULES", 1)[1].split())


def test_help_is_light() -> None:
    code = """
import sys
sys.argv = ["vox", "--help"]
from voxrelay.cli.start import main
try:
    main()
except SystemExit:
    print("MODULES", *sys.modules)
"""
    assert not loaded_by(code) & {"torch", "celery", "redis", "numpy", "pydantic", "yaml", "soundfile"}


def test_the_producer_needs_no_torch() -> None:
    assert not loaded_by("import sys; from voxrelay import Producer; print('MODULES', *sys.modules)") & HEAVY


def test_the_public_surface_is_what_it_says() -> None:
    import voxrelay

    assert sorted(voxrelay.__all__) == ["Conversion", "Producer", "Result", "VoxError", "__version__"]
    for name in voxrelay.__all__:
        assert getattr(voxrelay, name)
    with pytest.raises(AttributeError, match="nothing"):
        _ = voxrelay.nothing


def test_nothing_is_ever_unpickled() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "weights_only":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is True, path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                pytest.fail(f"{path} allows pickles")
