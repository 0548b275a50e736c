"""Conversions by the pools of the default profile, beside the same models alone: one long, many short, a first sound.

The pools are those of queues.yml, one process of one thread each but for two vocoders, who have three quarters of the
work, on a private relay that keeps jobs on the disk. The models alone are called in turn, on the same windows, in one
process of one thread: no FLAC, no files, no queue. Both know the voice, as after a first conversion. They take turns,
round by round.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from bench import Alone, Report, Row, Size, main, ratio, relay, speech, vox

from voxrelay import Producer

LONG, CLIP, CLIPS, WARM = 60, 6, 40, 6
POOLS = {"pools": {"vocoder": {"workers": 2}}}
SHARE = 8  # the models alone convert every eighth of the clips, which are equally long, and are reckoned for all
PARTS = ("long", "clips", "warm")
COMPUTED = ("survey", "content", "mel", "vocoder")


def stream(producer: Producer, source: Path, voice: Path) -> tuple[float, float]:
    """Convert; return the seconds until the first sound and until the last."""
    began = time.perf_counter()
    with producer.submit(source, str(voice)) as conversion:
        sounds = conversion.stream()
        next(sounds)
        first = time.perf_counter() - began
        for _ in sounds:
            pass
    return first, time.perf_counter() - began


def batch(producer: Producer, folder: Path, voice: Path, out: Path) -> float:
    """Convert a folder; return its seconds."""
    began = time.perf_counter()
    done = producer.batch(folder, out, str(voice))
    if any(outcome.error for outcome in done):
        raise RuntimeError(f"{out}: not all was converted")
    return time.perf_counter() - began


def command(source: Path, voice: Path, out: Path) -> float:
    """Run `vox convert`; return its seconds."""
    began = time.perf_counter()
    vox("convert", source, "--voice", voice, "-o", out)
    return time.perf_counter() - began


def both_cores(alone: Sequence[Alone], windows: Path) -> float:
    """Return by how much two processes of the models do more than one: what this machine has to give."""
    for each in alone:
        each.run(windows)
    began = time.perf_counter()
    alone[0].run(windows)
    one = time.perf_counter() - began
    for each in alone:
        each.start(windows)
    for each in alone:
        each.result()
    return 2 * one / (time.perf_counter() - began - one)


class Scene:
    """The relay, the models alone, and what both convert."""

    def __init__(self, producer: Producer, alone: Alone, folder: Path, size: Size) -> None:
        self.producer, self.alone, self.folder = producer, alone, folder
        self.seconds, self.count, self.share = size.of(LONG, 8), size.of(CLIPS, 2), size.of(SHARE, 1)
        self.voice = speech(folder / "voice.wav", 6, start=1)
        self.source, self.short = speech(folder / "long.wav", self.seconds), speech(folder / "warm.wav", WARM, start=2)
        (folder / "clips").mkdir()
        self.clips = [speech(folder / "clips" / f"{i:02}.wav", CLIP, start=0.3 * i) for i in range(self.count)]

    def windows(self, path: Path) -> Path:
        """Write the windows of a recording for the models alone."""
        return self.alone.write(self.alone.plan(path, self.voice), self.folder / f"{path.stem}.npz")

    def long(self, rounds: int) -> list[Row]:
        """Convert a long recording: until its first sound, and until its last."""
        source, one = self.windows(self.source), self.windows(speech(self.folder / "one.wav", 5.12))
        windows = len(self.alone.plan(self.source, self.voice).manifest.windows)
        stages, first, last, window = [], [], [], []
        for _ in range(rounds):
            stages.append(self.alone.run(source))
            window.append(sum(self.alone.run(one).values()))
            heard, ended = stream(self.producer, self.source, self.voice)
            first.append(heard)
            last.append(ended)
        slowest = [max(each["content"], each["mel"] + each.get("survey", 0), each["vocoder"]) for each in stages]
        limits = [max(a, sum(b.values()) / 2) for a, b in zip(slowest, stages, strict=True)]
        shares = ", ".join(f"{name} {np.median([each.get(name, 0) for each in stages]):.2f}" for name in COMPUTED)
        whole = ratio(f"{self.seconds} s through the pools", "max(slowest stage, half of all) of the models alone",
                      over=last, under=limits, most=1.15)  # fmt: skip
        start = ratio(f"first sound of {self.seconds} s", "one window through the stages alone",
                      over=first, under=window, most=1.5)  # fmt: skip
        return [_told(whole, f" (alone: {shares})", stages=stages, windows=windows), _told(start)]

    def short_clips(self, rounds: int) -> list[Row]:
        """Convert many short recordings."""
        written = [self.windows(path) for path in self.clips[:: self.share]]
        in_turn, pools = [], []
        for index in range(rounds):
            in_turn.append(self.share * sum(self.alone.run(*written).values()))
            pools.append(batch(self.producer, self.folder / "clips", self.voice, self.folder / f"out{index}"))
        row = ratio(f"{self.count} clips of {CLIP} s, the models in turn in one process",
                    "the same by the pools (`vox batch`)", over=in_turn, under=pools, least=1.6)  # fmt: skip
        return [_told(row)]

    def warm(self, rounds: int) -> list[Row]:
        """Run the command while the pools are there, on a long recording and on a short one."""
        rows = []
        for path, seconds in ((self.source, self.seconds), (self.short, WARM)):
            written = self.windows(path)
            commands, alone = [], []
            for _ in range(rounds):
                alone.append(sum(self.alone.run(written).values()))
                commands.append(command(path, self.voice, self.folder / "out.wav"))
            row = ratio(f"`vox convert` of {seconds} s, pools warm", "compute alone",
                        over=commands, under=alone, most=1.5)  # fmt: skip
            rows.append(_told(row))
        return rows


def measure(size: Size) -> Report:
    """Measure all parts, or those that were asked for."""
    with relay(POOLS) as producer, Alone(producer) as alone, tempfile.TemporaryDirectory() as name:
        scene = Scene(producer, alone, Path(name), size)
        stream(producer, scene.short, scene.voice)
        with Alone(producer) as second:
            cores = both_cores((alone, second), scene.windows(scene.short))
        parts = {"long": scene.long, "clips": scene.short_clips, "warm": scene.warm}
        rows = [row for part in size.parts for row in parts[part](size.rounds)]
    bias = (
        "against the pools: they read recordings, write FLAC and files and join windows, the models alone do not. For "
        "them: two cores where the models alone have one. Two processes of the models alone did "
        f"{cores:.2f}x the work of one in this run: more than that no queue can give."
    )
    return Report(rows, bias)


def _told(row: Row, more: str = "", **figures: Any) -> Row:  # noqa: ANN401 - numbers and lists of them
    """Add the seconds that a ratio is of."""
    over, under = (median(row.figures[name]) for name in ("over", "under"))
    measured = f"{row.measured}; {over:.2f} and {under:.2f} s{more}"
    return Row(row.what, row.against, row.bound, measured, row.held, {**row.figures, **figures})


if __name__ == "__main__":
    main(measure, __doc__ or "", PARTS)
