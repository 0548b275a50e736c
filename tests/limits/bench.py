"""What the limits share: speech to convert, a relay of their own on two redis-servers, rows of a table."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import redis
import soundfile
import typer
import yaml
from numpy.typing import NDArray

from conftest import ROOT, VOX, own_home, vox
from servers import Server
from voxrelay import Conversion
from voxrelay.producer.plan import Plan
from voxrelay.producer.session import Session
from voxrelay.producer.submit import submit
from voxrelay.relay import config as configuration
from voxrelay.relay.config import Config

RATE = 16_000
Sound = NDArray[np.float32]
CLIPS = [ROOT / "examples" / f"{name}.ogg" for name in ("male", "female")]
# Griffin-Lim takes most of a conversion's time: what does not look at the sound is converted without it.
FAST = "hifigan"
_RESULTS = ROOT / ".voxrelay" / "limits"


@dataclass(frozen=True)
class Row:
    """One bound: what it is, what was measured, whether it holds, and all figures."""

    name: str
    bound: str
    measured: str
    held: bool
    figures: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Bench:
    """A relay in a folder of its own; ``jobs`` and ``tensors`` are its two redis-servers."""

    folder: Path
    env: dict[str, str]
    config: Config
    jobs: Any
    tensors: Any

    def submit(self, plan: Plan) -> Conversion:
        """Have a plan accepted, whatever its windows are; the session is the conversion's."""
        session = Session.open(self.config)
        submit(session, plan.manifest, sounds=plan.sounds(), clips=plan.clips)
        return Conversion(session, plan.manifest.id, plan.notes)

    def start(self, *arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start ``vox`` beside us."""
        return subprocess.Popen([VOX, *map(str, arguments)], env={**os.environ, **self.env}, text=True, **options)


@contextmanager
def relay(
    folder: Path,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    batch: int = 1,
    wait: float = 0.01,
    pools: Sequence[str] = (),
    memory: Mapping[str, str] | None = None,
    vocoder: str = FAST,
) -> Iterator[Bench]:
    """Bring up two redis-servers and the pools; all is gone afterwards.

    Args:
        folder: an empty folder.
        changes: sections of ``queues.yml`` that differ, merged key by key.
        batch: windows that every pool computes at once.
        wait: seconds that a window waits for company.
        pools: pools to start; by default those of the profile.
        memory: ``maxmemory`` of ``jobs`` or ``tensors``.
        vocoder: of the pipeline.

    """
    env = settings(folder, changes, batch=batch, wait=wait, vocoder=vocoder)
    limit = {name: {"save": "", "maxmemory": (memory or {}).get(name, "0")} for name in ("jobs", "tensors")}
    with Server(folder / "jobs", **limit["jobs"]) as jobs, Server(folder / "tensors", **limit["tensors"]) as tensors:
        env |= urls(jobs.url, tensors.url)
        vox("up", *pools, env=env)
        try:
            config = configuration.load(env)
            yield Bench(folder, env, config, redis.Redis.from_url(jobs.url), redis.Redis.from_url(tensors.url))
        finally:
            vox("down", env=env)


def settings(
    folder: Path,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    batch: int = 1,
    wait: float = 0.01,
    vocoder: str = FAST,
) -> dict[str, str]:
    """Write a changed ``queues.yml``; return the variables of it and of a home of its own."""
    data = yaml.safe_load((ROOT / "queues.yml").read_text())
    for section, values in (changes or {}).items():
        for name, value in values.items():
            merge = isinstance(value, dict) and isinstance(data[section].get(name), dict)
            data[section][name] = {**data[section][name], **value} if merge else value
    for pool in data["pools"].values():
        pool |= {"batch": batch, "wait": wait}
    data["profiles"]["plain"]["vocoder"] = vocoder
    data["profile"] = "plain"
    vocoders = data["stages"]["vocoder"]
    vocoders[FAST]["options"]["weights"] = vocoders["hifigan-lite"]["options"]["weights"]
    (folder / "queues.yml").write_text(yaml.safe_dump(data))
    return {**own_home(folder), "VOXRELAY_CONFIG": str(folder / "queues.yml")}


def urls(jobs: str, tensors: str) -> dict[str, str]:
    """Return the variables that lead to two servers; messages are with the tensors."""
    return {"VOXRELAY_JOBS_URL": jobs, "VOXRELAY_TENSORS_URL": tensors, "VOXRELAY_BROKER_URL": tensors}


def speech(seconds: float, seed: int, clips: Sequence[Path] = CLIPS) -> Iterator[Sound]:
    """Yield speech at 16 kHz in pieces: the clips in random order, each from a random place and as loud as it likes."""
    chance, left = np.random.default_rng(seed), round(seconds * RATE)
    sounds = [read(path) for path in clips]
    while left:
        sound = sounds[chance.integers(len(sounds))]
        begin = int(chance.integers(len(sound) // 2))
        piece = sound[begin:][:left] * np.float32(10 ** (chance.uniform(-6, 0) / 20))
        yield piece
        left -= len(piece)


def read(path: Path) -> Sound:
    """Read a recording as it is, float32 [samples]."""
    sound: Sound = soundfile.read(path, dtype="float32")[0]
    return sound


def write(path: Path, pieces: Iterator[Sound]) -> Path:
    """Write sound at 16 kHz, a piece at a time."""
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for piece in pieces:
            file.write(piece)
    return path


def main(measure: Callable[[Path, int], list[Row]], about: str) -> None:
    """Measure as the command line says, print rows of a Markdown table, and fail if a bound is missed."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    with tempfile.TemporaryDirectory(prefix="limits-") as folder:
        rows = measure(Path(folder), seed)
    _RESULTS.mkdir(parents=True, exist_ok=True)
    module = ".".join(Path(sys.argv[0]).with_suffix("").parts[-2:])
    command = f"PYTHONPATH=tests .venv/bin/python -m {module} --seed {seed}"
    for row in rows:
        held = "yes" if row.held else "**no**"
        typer.echo(f"| {row.name} | {row.bound} | {row.measured} | {held} | `{command}` |")
    facts = [{**vars(row), "command": command, "time": time.time(), "load": os.getloadavg()} for row in rows]
    (_RESULTS / f"{module}.json").write_text(json.dumps(facts, indent=1))
    sys.exit(0 if all(row.held for row in rows) else 1)
