"""What the tests share: clips, a configuration of their own, and a relay that runs for the session."""

import atexit
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from servers import Server
from voxrelay.fleet import environments
from voxrelay.relay import config as configuration
from voxrelay.relay import home

collect_ignore = ["pools"]  # these run in the environments of the pools: see test_pools.py
ROOT = Path(__file__).resolve().parents[1]
VOX = Path(sys.executable).with_name("vox")
_URLS = ("REDIS_URL", "VOXRELAY_BROKER_URL", "VOXRELAY_JOBS_URL", "VOXRELAY_TENSORS_URL", "VOXRELAY_CONFIG")

# Files that take minutes, longest first, so that no core waits for them at the end.
LONG = ("test_documents", "test_faults", "test_benchmarks", "test_pools", "test_operations", "test_evaluation",
        "test_restart", "test_relays", "test_outage", "test_train", "test_convert", "test_saved")  # fmt: skip
APART = {"test_pools", "test_benchmarks", "test_faults", "test_outage"}  # whose tests share nothing

_strangers = itertools.count(1)

TOY = '''
"""A content encoder in one file: the level of every frame."""
import numpy as np
from voxrelay.relay.tensors import Content

class Level:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    def encode(self, clips):
        frames = [clip.data.reshape(-1, 320) for clip in clips]
        return [Content(np.float32(self.scale) * np.abs(f).mean(axis=1, keepdims=True), model="toy") for f in frames]

def load(scale: float = 1.0) -> Level:
    return Level(scale)
'''


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests of a file run by one process, unless they share less, and those that take long run first."""
    for item in items:
        if item.path.stem not in APART and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests have found out for a person to read (``record_property``), by whichever process they ran."""
    for report in terminalreporter.getreports("passed"):
        for text in (value for name, value in report.user_properties if name == "told"):
            terminalreporter.write_line(text)


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests run a relay of their own in a home of their own, whatever the caller has, and several side by side."""
    for name in (*_URLS, "PYTHONDONTWRITEBYTECODE"):  # each `vox` would compile NumPy and Celery for itself
        os.environ.pop(name, None)
    os.environ |= own_home(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="session")
def male() -> Path:
    return ROOT / "examples" / "male.ogg"


@pytest.fixture(scope="session")
def female() -> Path:
    return ROOT / "examples" / "female.ogg"


@pytest.fixture(scope="module")
def stranger(female: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference that only one module's tests use, so that its voice is not prepared before."""
    sound, rate = soundfile.read(female)
    path = tmp_path_factory.mktemp("stranger") / "stranger.flac"
    soundfile.write(path, sound[next(_strangers) * rate // 50 :], rate)
    return path


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a configuration with a toy model, small limits and weights made here."""
    folder = tmp_path_factory.mktemp("relay")
    (folder / "models").mkdir()
    (folder / "toy.py").write_text(TOY)
    config = yaml.safe_load((ROOT / "queues.yml").read_text())
    config["stages"]["content"]["toy"] = {"pool": "content", "file": "toy.py"}  # the one line of a new model
    config["stages"]["mel"]["gr0"]["options"]["leave"] = 0.5
    config["limits"]["source"] = 40
    config["profile"] = "plain"
    (folder / "queues.yml").write_text(yaml.safe_dump(config))
    script = ROOT / "tests" / "pools" / "content-fairseq" / "legacy_checkpoint.py"
    weights = folder / "models" / "checkpoint_best_legacy_500.pt"
    run_in("content-fairseq", str(script), str(weights))
    converted = folder / "models" / "contentvec.safetensors"
    run_in("content-transformers", "-m", "voxrelay.workers.content.convert", str(weights), str(converted))
    weights = folder / "models" / config["stages"]["vocoder"]["bigvgan"]["options"]["weights"]
    run_in("vocoder", str(ROOT / "tests" / "pools" / "vocoder" / "second.py"), str(weights))
    return {"VOXRELAY_CONFIG": str(folder / "queues.yml"), "VOXRELAY_MODELS": str(folder / "models")}


@pytest.fixture(scope="session")
def relay(settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """A warm relay of all pools on a private redis-server; yields the variables that lead to it."""
    vox("up", env=settings)
    yield settings
    vox("down", env=settings)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[str]:
    """A redis-server that is nobody's private one; yields its URL."""
    with Server(tmp_path / "redis") as server:
        yield server.url


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared recordings, weights and judges, which a clone does not have."""
    named = os.environ.get("VOXRELAY_SHARED")
    if not named:
        pytest.skip("needs the shared recordings: VOXRELAY_SHARED is not set")
    return Path(named)


def need(program: str) -> None:
    """Skip a test where a program is missing."""
    if not shutil.which(program):
        pytest.skip(f"needs {program} on PATH")


def own_temp() -> str:
    """Return a new folder for sockets and other temporary files: the path of a socket has 107 characters at most."""
    folder = tempfile.mkdtemp(prefix="vox-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def own_home(folder: Path) -> dict[str, str]:
    """Return the variable of a home that shares nothing with ours but the environments, which take minutes."""
    (folder / "home").mkdir()
    (folder / "home" / "envs").symlink_to(home.environments())
    return {"VOXRELAY_HOME": str(folder / "home")}


def run_in(environment: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a pool's environment."""
    found = environments.find(environment)
    environments.ensure(configuration.load({}), [environment], lambda _line: None)
    env = {**environments.variables(found, 1), **variables}
    return subprocess.run([str(found.python), "-P", *arguments], env=env, check=True, capture_output=True, text=True)


def vox(
    *arguments: str | Path, env: dict[str, str] | None = None, code: int | None = 0, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run ``vox`` as a user does and hold it to an exit code; None: whichever."""
    command = [str(VOX), *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert code in (None, done.returncode), f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def vox_json(*arguments: str | Path, env: dict[str, str] | None = None) -> Any:
    """Run ``vox --json`` and read what it prints."""
    return json.loads(vox(*arguments, "--json", env=env).stdout)
