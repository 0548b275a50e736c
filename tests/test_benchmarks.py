"""The benchmarks run, at a size that says nothing about speed; and the soak, at full length, in `make test-all`."""

import subprocess
import sys

import pytest

from conftest import ROOT
from voxrelay.fleet import environments

SCRIPTS = ROOT / "benchmarks"


def run(*command: object, seconds: float = 500) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "rows"), [("hop", 4), ("chain", 1), ("throughput", 5), ("scaling", 2), ("soak", 7)])
def test_a_benchmark_runs(name: str, rows: int) -> None:
    printed = run(sys.executable, SCRIPTS / f"{name}.py", "--small")
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(table) >= 2 + rows
    assert "Machine: processor" in printed
    assert "Leans to:" in printed


def test_the_gpu_benchmark_runs_without_one() -> None:
    python = environments.find("content-transformers").python
    command = (python, "-P", SCRIPTS / "gpu.py", "--small", "--device", "cpu")
    assert run(*command).count("| ") >= 4


def test_the_networks_are_profiled() -> None:
    python, packages = environments.find("mel").python, environments.find("speaker").packages
    printed = run(python, SCRIPTS / "operators.py", packages, ROOT / "examples" / "male.ogg")
    stages = [line.split(" | ")[0] for line in printed.splitlines()[2:]]
    assert stages == ["| survey", "| content", "| mel", "| vocoder"]


@pytest.mark.slow
@pytest.mark.timeout(2700)
def test_nothing_grows_in_half_an_hour() -> None:
    run(sys.executable, SCRIPTS / "soak.py", seconds=2600)
