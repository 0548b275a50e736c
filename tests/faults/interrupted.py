"""A batch is interrupted twice, by Ctrl-C and by kill -9: every output comes, once, and what is broken is named."""

import csv
import json
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from conftest import vox
from limits.bench import CLIPS, RATE, Bench, Row, main, read, relay, speech, write
from voxrelay.producer.journal import NAME
from voxrelay.relay import keys

if TYPE_CHECKING:
    from collections.abc import Callable

FILES, BROKEN, SECONDS = 500, 10, 1.0
_TAKE = {signal.SIGINT: 1 / 3, signal.SIGKILL: 2 / 3}  # the share of outputs that is there when it comes


@dataclass(frozen=True)
class Batched:
    """What came of it.

    ``doubled``: outputs that were written again, or whose journal has them done twice. ``jobs`` were accepted,
    ``differing`` outputs are not those of an undisturbed run, ``codes`` the exit codes, ``there`` how many
    outputs were there when it was interrupted, ``summary`` what the last run printed, ``left`` hidden files.
    """

    outputs: int
    failed: list[str]
    broken: list[str]
    doubled: int
    jobs: int
    differing: int
    codes: list[int]
    there: list[int]
    summary: dict[str, Any]
    left: list[str]


def make(folder: Path, files: int, broken: int, seed: int) -> tuple[Path, list[str]]:
    """Write short clips, some of them broken in one way or another, and a table of them; name the broken ones."""
    folder.mkdir()
    chance, clips = np.random.default_rng(seed), [read(path) for path in CLIPS]
    bad = {f"clip-{number:04}.wav" for number in chance.choice(files, broken, replace=False)}
    write(folder / "voice.wav", speech(6, seed, CLIPS[1:]))
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["source", "voice", "output"])
        for number in range(files):
            name, sound = f"clip-{number:04}.wav", clips[number % 2]
            begin, length = int(chance.integers(len(sound) // 2)), round(chance.uniform(0.6, 1.4) * SECONDS * RATE)
            soundfile.write(folder / name, sound[begin : begin + length], RATE)
            if name in bad:
                _break(folder / name, number)
            table.writerow([name, "voice.wav", f"{number % 7}/{name}"])
    return folder / "table.csv", sorted(bad)


def _break(path: Path, how: int) -> None:
    breaks: list[Callable[[], object]] = [
        path.unlink,
        lambda: path.write_bytes(b""),
        lambda: path.write_bytes(b"this is not a recording"),
        lambda: soundfile.write(path, np.zeros(100, dtype=np.float32), RATE),
        lambda: soundfile.write(path, np.full(RATE, np.nan, dtype=np.float32), RATE, "FLOAT"),
    ]
    breaks[how % len(breaks)]()


def run(folder: Path, seed: int, *, files: int, broken: int, backlog: int = 1000) -> Batched:
    """Convert, interrupt, kill, convert; and the same once undisturbed. No more windows wait than ``backlog``."""
    table, bad = make(folder / "in", files, broken, seed)
    out, quiet = folder / "out", folder / "quiet"
    with relay(folder, {"limits": {"backlog": backlog}}, vocoder="griffin-lim") as bench:
        codes, there, seen = [], [], dict[Path, tuple[int, int]]()
        for how, share in _TAKE.items():
            code, count = _interrupted(bench, table, out, how, round(share * files))
            codes, there = [*codes, code], [*there, count]
            seen = _stamps(out) | seen  # the first that was seen of each
        done = vox("batch", table, "-o", out, "--json", env=bench.env, code=None, seconds=3600)
        jobs = [raw.decode() for raw in bench.jobs.zrange(keys.JOBS, 0, -1)]
        last = _stamps(out)
        vox("batch", table, "-o", quiet, "--json", env=bench.env, code=1, seconds=3600)
    again = sum(last[path] != stamp for path, stamp in seen.items()) + _twice(out / NAME)
    summary = json.loads(done.stdout)
    return Batched(
        outputs=len(last),
        failed=sorted(Path(one["source"]).name for one in summary["failed"]),
        broken=bad,
        doubled=again,
        jobs=len(jobs),
        differing=sum(path.read_bytes() != (quiet / path.relative_to(out)).read_bytes() for path in last),
        codes=[*codes, done.returncode],
        there=there,
        summary=summary,
        left=[path.name for path in out.rglob(".*") if path.name != NAME],
    )


def _interrupted(bench: Bench, table: Path, out: Path, how: signal.Signals, when: int) -> tuple[int, int]:
    """Start a batch and send it a signal when so many outputs are there; return its exit code and how many there were.

    It is the process group's, as Ctrl-C is.
    """
    process = bench.start("batch", table, "-o", out, "--json", start_new_session=True)
    while (count := len(_stamps(out))) < when:
        assert process.poll() is None, "it ended before it could be interrupted"
        time.sleep(0.05)
    os.killpg(process.pid, how)
    return process.wait(60), count


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return inode and time of every output: one that is written again has others."""
    found = {path: path.stat() for path in folder.rglob("[!.]*.wav")} if folder.is_dir() else {}
    return {path: (facts.st_ino, facts.st_mtime_ns) for path, facts in found.items()}


def _twice(journal: Path) -> int:
    """Count the outputs that a journal has done more than once."""
    lines = [json.loads(line) for line in journal.read_text().splitlines() if line]
    done = Counter(line["output"] for line in lines if line.get("done"))
    return sum(count > 1 for count in done.values())


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size."""
    done = run(folder, seed, files=FILES, broken=BROKEN)
    wanted = FILES - BROKEN
    named = done.failed == done.broken
    held = (done.outputs, done.doubled, done.jobs, done.differing) == (wanted, 0, wanted, 0) and named
    return [
        Row(
            f"{FILES} short files, {BROKEN} of them broken, interrupted by Ctrl-C and `kill -9`",
            f"{wanted} results, {BROKEN} named failures, no output written twice, byte-identical",
            f"{done.outputs} results, {len(done.failed)} failures{' named' if named else ''}, {done.doubled} written "
            f"twice, {done.jobs} jobs, {done.differing} outputs differ; interrupted at {done.there} outputs",
            held and not done.left,
            {**vars(done)},
        )
    ]


if __name__ == "__main__":
    main(measure, __doc__ or "")
