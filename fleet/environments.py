"""The virtual environments of the pools: one lock each, built by uv with hard links.

A worker environment holds its lock and, of voxrelay, only ``relay`` and ``workers`` (those of training,
checks and monitoring, that room as well): a worker that imported the producer or the command line would fail at once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

from voxrelay.relay import home
from voxrelay.relay.config import Config
from voxrelay.relay.errors import BadConfigError, Exit, UnavailableError

PYTHON = "3.11"
_ROOMS = ("training", "checks", "monitoring")  # rooms with an environment of their own
_RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
Note = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """One virtual environment and the lock it is built from."""

    name: str
    lock: Path

    @property
    def folder(self) -> Path:
        """Where it stands, without links: compiled code is cached under this path."""
        return (home.environments() / self.name).resolve()

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where its packages lie."""
        return self.folder / "lib" / f"python{PYTHON}" / "site-packages"

    @property
    def overrides(self) -> Path:
        """Requirements of its packages that are replaced; may be missing."""
        return self.lock.with_suffix(".overrides")

    @property
    def built(self) -> bool:
        """Whether it stands and was built from this lock."""
        stamp = self.folder / "voxrelay.stamp"
        return self.python.exists() and stamp.is_file() and stamp.read_text() == self.fingerprint

    @property
    def fingerprint(self) -> str:
        """Hash of everything it is built from."""
        parts = [path.read_bytes() for path in (self.lock, self.overrides) if path.is_file()]
        return hashlib.sha256(b"\0".join([*parts, PYTHON.encode()])).hexdigest()


def known() -> dict[str, Environment]:
    """Return every environment that has a lock: those of the pools, and of the rooms that have one."""
    folders = [*(home.PACKAGE / "workers").iterdir(), *(home.PACKAGE / room for room in _ROOMS)]
    locks = sorted(lock for folder in folders for lock in folder.glob("*.lock"))
    return {lock.stem: Environment(lock.stem, lock) for lock in locks}


def find(name: str) -> Environment:
    """Return the environment of that name.

    Raises:
        BadConfigError: it has no lock.

    """
    if name not in known():
        raise BadConfigError(f"no environment {name!r}", hint=f"there are {', '.join(known())}")
    return known()[name]


def ensure(config: Config, names: Iterable[str], note: Note) -> None:
    """Build those environments that are missing or out of date, and link our sources into all."""
    for name in names:
        environment = find(name)
        if not environment.built:
            with _alone(environment):
                if not environment.built:  # by whom we waited for
                    build(config, environment, note)
        _link_sources(environment)


@contextmanager
def _alone(environment: Environment) -> Iterator[None]:
    """Wait until no other process builds this environment, and keep others from it."""
    environment.folder.parent.mkdir(parents=True, exist_ok=True)
    with environment.folder.with_name(f"{environment.name}.building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(config: Config, environment: Environment, note: Note) -> None:
    """Build one environment anew and run its pools' models once, which compiles what they compile.

    Raises:
        UnavailableError: a package could not be installed, or a model does not run.

    """
    note(f"environment {environment.name}: installing {_count(environment.lock)} packages")
    shutil.rmtree(environment.folder, ignore_errors=True)
    interpreter = sys.executable if _RUNNING == PYTHON else PYTHON  # uv finds or fetches another
    _uv(environment, "venv", "--quiet", "--python", interpreter, str(environment.folder))
    overrides = ["--overrides", str(environment.overrides)] if environment.overrides.is_file() else []
    _uv(environment, "pip", "install", "--quiet", *_torch_source(),
        "--python", str(environment.python), *overrides, "-r", str(environment.lock))  # fmt: skip
    _link_sources(environment)
    for pool, settings in config.pools.items():
        if settings.environment == environment.name:
            note(f"environment {environment.name}: running the models of pool {pool} once")
            _check(environment, pool, settings.threads)
    (environment.folder / "voxrelay.stamp").write_text(environment.fingerprint)


def variables(environment: Environment, threads: int) -> dict[str, str]:
    """Return the environment variables of a worker: its share of threads, caches, memory allocator."""
    count = str(threads)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "NUMBA_CACHE_DIR": str(environment.folder / "numba"),
        "MPLCONFIGDIR": str(environment.folder / "matplotlib"),
        # Large tensors come and go: without these glibc returns their pages to the kernel each time.
        "MALLOC_MMAP_THRESHOLD_": "67108864",
        "MALLOC_TRIM_THRESHOLD_": "134217728",
        "MALLOC_TOP_PAD_": "67108864",
        # One heap: with one for each thread, each keeps what it freed, and none has room for the next large tensor.
        "MALLOC_ARENA_MAX": "1",
        # oneDNN keeps what it prepared for each shape, 40 MB for every length of a vocoder's input, 1,024 things
        # of all lengths unless told otherwise; preparing them anew takes no time that could be measured.
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",
        "VOXRELAY_HOME": str(home.home()),
    }


def worker_command(environment: Environment, pool: str, *flags: str) -> list[str]:
    """Return the command of a worker process."""
    return [str(environment.python), "-P", "-m", "voxrelay.workers.runtime", pool, *flags]


def _check(environment: Environment, pool: str, threads: int) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        worker_command(environment, pool, "--check"),
        env=variables(environment, threads),
        capture_output=True,
        text=True,
        check=False,
    )
    # A pool whose weights are not there yet is built all the same; it says so when it is started.
    if done.returncode not in (Exit.OK, Exit.UNAVAILABLE):
        raise UnavailableError(tail(done.stderr), where=f"environment {environment.name}, pool {pool}")


def _link_sources(environment: Environment) -> None:
    """Link what a worker may import of voxrelay into its site-packages."""
    package = environment.packages / "voxrelay"
    package.mkdir(exist_ok=True)
    sources = home.PACKAGE / "api" if home.checkout() else home.PACKAGE
    rooms = ["relay", "workers", *(room for room in _ROOMS if room == environment.lock.parent.name)]
    targets = {"__init__.py": sources / "__init__.py", **{room: home.PACKAGE / room for room in rooms}}
    for link, target in targets.items():
        path = package / link
        if not path.is_symlink() or path.readlink() != target:
            path.unlink(missing_ok=True)
            path.symlink_to(target)


def _torch_source() -> list[str]:
    """Let uv pick torch for this machine's accelerator, unless wheels are provided locally."""
    if wheels := os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS"):
        return [argument for place in wheels.split() for argument in ("--find-links", place)]
    return ["--torch-backend", "auto"]


def _uv(environment: Environment, *arguments: str) -> None:
    command = [uv.find_uv_bin(), *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, env=inherited, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        hint = "is a package index reachable?"
        raise UnavailableError(tail(done.stderr), where=f"environment {environment.name}", hint=hint)


def _count(lock: Path) -> int:
    return sum(1 for line in lock.read_text().splitlines() if "==" in line)


def tail(text: str) -> str:
    """Return the end of a program's complaint."""
    return "\n".join(text.strip().splitlines()[-8:]) or "it gave no reason"
