"""What the benchmarks share: a relay of their own, the models alone, medians, tables, results.

Each script is ``.venv/bin/python benchmarks/NAME.py [PART...] [--rounds N] [--small]``. It prints its rows, the machine
and what its own figures lean to, and writes all single figures to ``benchmarks/results/NAME.json``, where the rows of
parts that were not asked for stay. It ends with 1 if a bound is missed. ``--small`` only shows that it runs.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
import redis
import soundfile
import yaml

from voxrelay import Producer
from voxrelay.fleet import environments
from voxrelay.fleet.server import find_redis_server
from voxrelay.fleet.supervised import shared_supervisor
from voxrelay.producer.plan import Plan, plan_conversion
from voxrelay.producer.session import Session
from voxrelay.relay import home
from voxrelay.relay.config import STAGES

ROOT = Path(__file__).resolve().parents[1]
VOX = Path(sys.executable).with_name("vox")
RESULTS = Path(__file__).parent / "results"
EXAMPLES = [ROOT / "examples" / f"{name}.ogg" for name in ("male", "female")]
RATE = 16_000


@dataclass(frozen=True)
class Size:
    """How much is measured: ``rounds`` of ``parts``; ``small``: only enough to see that it runs."""

    rounds: int
    small: bool
    parts: Sequence[str] = ()

    def of(self, full: int, small: int) -> int:
        """Return a count: the full one, or the small one."""
        return small if self.small else full


@dataclass(frozen=True)
class Row:
    """A line of the table; ``held``: whether its bound was met, None if it has none; ``figures``: all single ones."""

    what: str
    against: str
    bound: str
    measured: str
    held: bool | None
    figures: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Report:
    """Rows, and what they lean to: what is in the figures that should not be, or the other way round."""

    rows: Sequence[Row]
    bias: str


def main(measure: Callable[[Size], Report], about: str, parts: Sequence[str] = ()) -> None:
    """Measure as the command line says, all ``parts`` or some, print, file, and fail if a bound is missed."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement; medians are told (default: 5)")
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    if parts:
        parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)} (default: all)")
    asked = parser.parse_args()
    wanted = getattr(asked, "part", []) or parts
    if unknown := set(wanted) - set(parts):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(parts)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended, it takes its relay with it
    name = Path(sys.argv[0]).stem
    before, began = machine(), time.time()
    report = measure(Size(1 if asked.small else asked.rounds, asked.small, wanted))
    print(f"\n| {name} | compared with | bound | measured | held |\n|---|---|---|---|---|")
    for row in report.rows:
        held = {True: "yes", False: "**no**", None: "-"}[row.held]
        print(f"| {row.what} | {row.against} | {row.bound} | {row.measured} | {held} |")
    print(
        f"\nMachine: {', '.join(f'{key} {value}' for key, value in before.items())}. Took {time.time() - began:.0f} s."
    )
    print(f"Leans to: {report.bias}", flush=True)
    if not asked.small:
        facts = {"machine": before, "time": began, "rounds": asked.rounds, "bias": report.bias}
        _file(RESULTS / f"{name}.json", facts, [vars(row) for row in report.rows])
    sys.exit(0 if asked.small or all(row.held is not False for row in report.rows) else 1)


def _file(path: Path, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what was found; rows of other parts stay, in the order in which they came first."""
    path.parent.mkdir(exist_ok=True)
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {row["what"]: row for row in (*before, *rows)}
    path.write_text(json.dumps({**facts, "rows": list(found.values())}, indent=1) + "\n")


def machine() -> dict[str, str]:
    """Describe what this runs on, and how busy that is."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    server = subprocess.run([find_redis_server(), "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "processor": model or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**20:.0f} GB",
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "Redis": server.partition("v=")[2].split()[0],
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def ratio(
    row: str, against: str, *, over: Sequence[float], under: Sequence[float], most: float = 0, least: float = 0
) -> Row:
    """Compare two series, measured in turn: the median of the ratios of each round, bounded above or below.

    Args:
        row: what was measured.
        against: what it is compared with.
        over: seconds or rates, a round each.
        under: those it is divided by.
        most: bound, if it must not be more.
        least: bound, if it must not be less.

    """
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    found = median(ratios)
    bound = f"<= {most:g}x" if most else f">= {least:g}x"
    measured = f"**{found:.2f}x** ({min(ratios):.2f} to {max(ratios):.2f})"
    held = found <= most if most else found >= least
    return Row(row, against, bound, measured, held, {"over": list(over), "under": list(under), "ratios": ratios})


@contextmanager
def relay(changes: Mapping[str, Any] | None = None) -> Iterator[Producer]:
    """Bring up the pools of a profile as a user has them, with a private Redis, in a home of their own.

    Args:
        changes: sections of ``queues.yml`` that differ, merged key by key; a section of None is emptied first.

    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "envs").symlink_to(home.environments())
        config = merged(yaml.safe_load((ROOT / "queues.yml").read_text()), changes or {})
        (folder / "queues.yml").write_text(yaml.safe_dump(config))
        own = {"VOXRELAY_HOME": str(folder), "VOXRELAY_CONFIG": str(folder / "queues.yml")}
        before = {variable: os.environ.get(variable) for variable in own}
        os.environ |= own
        try:
            producer = Producer()
            vox("up", *producer.config.chain_pools())
            yield producer
        finally:
            vox("down")
            for variable, value in before.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value


def merged(base: Any, changes: Any) -> Any:  # noqa: ANN401 - YAML
    """Merge mappings key by key; a changed key that ends with ``!`` replaces all that was there."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    result = dict(base)
    for key, value in changes.items():
        plain = key.removesuffix("!")
        result[plain] = value if key != plain else merged(base.get(plain), value)
    return result


SIMULATED = Path(__file__).with_name("simulated.py")


def simulated(**seconds: float) -> dict[str, Any]:
    """Return changes by which every stage is a model of no computation, some with ``seconds`` on a device a window."""
    stages = {
        f"{stage}!": {
            "simulated": {
                "pool": stage,
                "file": str(SIMULATED),
                "options": {"stage": stage, "seconds": seconds.get(stage, 0.0)},
            }
        }
        for stage in STAGES
    }
    pools = {stage: {"environment": stage, "workers": 1, "threads": 1} for stage in STAGES}
    return {
        "stages": stages,
        "pools!": pools,
        "profile": "simulated",
        "profiles!": {"simulated": dict.fromkeys(STAGES, "simulated")},
    }


def vox(*arguments: str | Path) -> str:
    """Run ``vox`` as a user does; return what it prints.

    Raises:
        RuntimeError: it failed.

    """
    done = subprocess.run([VOX, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"vox {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def speech(path: Path, seconds: float, start: float = 0.0) -> Path:
    """Write so many seconds of the bundled clips, one after the other, from a moment on, at 16 kHz."""
    clip = np.concatenate([_read(each) for each in EXAMPLES])
    wanted = np.arange(round(start * RATE), round((start + seconds) * RATE))
    soundfile.write(path, np.take(clip, wanted, mode="wrap"), RATE)
    return path


def _read(path: Path) -> np.ndarray:
    sound, rate = soundfile.read(path, dtype="float32")
    if rate != RATE:
        raise RuntimeError(f"{path} is of {rate} Hz")
    return np.asarray(sound)


class Alone:
    """The models of the profile in one process of one thread, without a queue; see alone.py."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        variables = environments.variables(environments.find("mel"), 1)
        packages = environments.find("speaker").packages
        self._process = subprocess.Popen(
            [environments.find("mel").python, "-P", Path(__file__).with_name("alone.py"), packages],
            env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._answer()

    def plan(self, source: Path, voice: Path) -> Plan:
        """Cut a source and a voice into the windows that the pools get."""
        return plan_conversion(self.producer.config, source, str(voice), {})

    def write(self, plan: Plan, path: Path) -> Path:
        """Write the windows of a plan to a file that :meth:`run` takes."""
        gain = plan.manifest.source.gain if plan.manifest.source else 1.0
        windows = {f"window{i:04}": sound * np.float32(gain) for i, sound in enumerate(plan.sounds())}
        np.savez(path, **windows, **{f"clip{i:04}": sound for i, sound in enumerate(plan.clips)})
        return path

    def start(self, *windows: Path) -> None:
        """Begin to convert; :meth:`result` has what came of it."""
        if self._process.stdin is None:
            raise RuntimeError("not started")
        self._process.stdin.write(json.dumps([str(path) for path in windows]) + "\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, float]:
        """Return the seconds of each stage, summed over windows; ``survey`` of recordings, ``first``: of a window."""
        found: dict[str, float] = json.loads(self._answer())
        return found

    def run(self, *windows: Path) -> dict[str, float]:
        """Convert; return what :meth:`result` does."""
        self.start(*windows)
        return self.result()

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the models alone have ended: see above")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def cpu_seconds(processes: Sequence[int]) -> float:
    """Return the processor time that processes have used, their ended children not counted."""
    ticks = 0
    for process in processes:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def relay_processes(producer: Producer) -> dict[str, int]:
    """Name every process of the private relay, workers and redis-servers, by what it does."""
    workers = json.loads(vox("ps", "--json"))["workers"]
    found = {f"{row['pool']} {row['process']}": int(row["process"]) for row in workers}
    for name, server in stores(producer).items():
        found[f"redis {name}"] = int(server.info("server")["process_id"])
    return found


def open_session(producer: Producer) -> Session:
    """Open the private relay as a client does, for what ``Producer`` does not offer."""
    urls = shared_supervisor(producer.config).redis()
    return Session.open(producer.config.model_copy(update={"redis": urls}))


def stores(producer: Producer) -> dict[str, Any]:
    """Open the private relay's two redis-servers, by name."""
    urls = shared_supervisor(producer.config).redis()
    return {"jobs": redis.Redis.from_url(urls.jobs or ""), "tensors": redis.Redis.from_url(urls.tensors or "")}
