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

import numpy as np
from bench import Alone, Report, Row, Size, main, ratio, relay, speech, vox

from voxrelay import Producer

LONG, CLIP, CLIPS, WARM = 60, 6, 40, 6
POOLS = {"pools": {"vocoder": {"workers": 2}}}
SHARE = 4  # the models alone convert every fourth of the clips, which are equally long, and are reckoned for all
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
    began = time.perf_counter()
    alone[0].run(windows)
    one = time.perf_counter() - began
    for each in alone:
        each.start(windows)
    for each in alone:
        each.result()
    return 2 * one / (time.perf_counter() - began - one)


def measure(size: Size) -> Report:
    """Measure all, in turn."""
    long, count, share = size.of(LONG, 8), size.of(CLIPS, 2), size.of(SHARE, 1)
    with (
        relay() as producer,
        Alone(producer) as alone,
        Alone(producer) as second,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        voice = speech(folder / "voice.wav", 6, start=1)
        source, short = speech(folder / "long.wav", long), speech(folder / "warm.wav", WARM, start=2)
        (folder / "clips").mkdir()
        clips = [speech(folder / "clips" / f"{i:02}.wav", CLIP, start=0.3 * i) for i in range(count)]
        written = {path: alone.write(alone.plan(path, voice), path.with_suffix(".npz")) for path in (source, short)}
        each = [alone.write(alone.plan(path, voice), folder / f"{path.stem}.npz") for path in clips]
        one = alone.write(alone.plan(speech(folder / "one.wav", 5.12), voice), folder / "one.npz")
        windows = len(alone.plan(source, voice).manifest.windows)
        stream(producer, short, voice)
        alone.run(written[short])
        second.run(written[short])
        found: dict[str, list[float]] = {}
        for index in range(size.rounds):
            stages = alone.run(written[source])
            first, last = stream(producer, source, voice)
            turn = {
                "long": last, "first": first, "stages": stages, "window": sum(alone.run(one).values()),
                "in turn": share * sum(alone.run(*each[::share]).values()),
                "clips": batch(producer, folder / "clips", voice, folder / f"out{index}"),
                "command": command(short, voice, folder / f"{index}.wav"),
                "clip": sum(alone.run(written[short]).values()),
                "command long": command(source, voice, folder / f"{index}-long.wav"),
                "cores": both_cores((alone, second), written[short]),
            }  # fmt: skip
            for key, value in turn.items():
                found.setdefault(key, []).append(value)
    return Report(_rows(found, long, count, windows), _bias(found))


def _rows(found: dict[str, list], long: int, count: int, windows: int) -> list[Row]:
    stages = found["stages"]
    totals = [sum(each.values()) for each in stages]
    slowest = [max(each["content"], each["mel"] + each.get("survey", 0), each["vocoder"]) for each in stages]
    limits = [max(a, b / 2) for a, b in zip(slowest, totals, strict=True)]
    shares = ", ".join(f"{name} {np.median([each.get(name, 0) for each in stages]):.2f}" for name in COMPUTED)
    rows = [
        ratio(f"{long} s through the pools", "max(slowest stage, half of all) of the models alone",
              over=found["long"], under=limits, most=1.15),
        ratio(f"{count} clips of {CLIP} s, the models in turn in one process", "the same by the pools (`vox batch`)",
              over=found["in turn"], under=found["clips"], least=1.6),
        ratio(f"first sound of {long} s", "one window through the stages alone",
              over=found["first"], under=found["window"], most=1.5),
        ratio(f"`vox convert` of {WARM} s, pools warm", "compute alone",
              over=found["command"], under=found["clip"], most=1.5),
        ratio(f"`vox convert` of {long} s, pools warm", "compute alone",
              over=found["command long"], under=totals, most=1.5),
    ]  # fmt: skip
    return [_told(row, f" (alone: {shares})" if row is rows[0] else "", stages, windows) for row in rows]


def _told(row: Row, more: str, stages: list[dict[str, float]], windows: int) -> Row:
    """Add the seconds that a ratio is of."""
    over, under = (median(row.figures[name]) for name in ("over", "under"))
    measured = f"{row.measured}; {over:.2f} and {under:.2f} s{more}"
    return Row(
        row.what, row.against, row.bound, measured, row.held, {**row.figures, "stages": stages, "windows": windows}
    )


def _bias(found: dict[str, list]) -> str:
    return (
        "against the pools: they read recordings, write FLAC and files and join windows, the models alone do not. For "
        "them: two cores where the models alone have one. Two processes of the models alone did "
        f"{median(found['cores']):.2f}x the work of one in this run: more than that no queue can give."
    )


if __name__ == "__main__":
    main(measure, __doc__ or "")
