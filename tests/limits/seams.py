"""Seams: is the spectrum, or the level, any different where two windows meet?

Each recording is converted twice, the second time with every seam half a window's step later. What
a conversion has at its seams is held against what it has elsewhere, and against the other conversion
at the same moments of the same speech, where that one has no seam.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from limits import bench
from limits.bench import Bench, Row, Sound
from limits.places import Figures, Places, around, decibels, distances, elsewhere, powers
from voxrelay.producer.plan import Plan, plan_conversion
from voxrelay.relay import clock
from voxrelay.relay.job import Span, new_id

SECONDS = 60
DISTANCE, LEVEL_DB = 1.1, 1.0  # the bounds
_DRAWS = 1000


@dataclass(frozen=True)
class Converted:
    """Sound at 22.05 kHz, and where its windows meet."""

    sound: Sound
    seams: Places


Pair = tuple[Converted, Converted]


def convert_twice(where: Bench, source: Path, voice: Path) -> Pair:
    """Convert a recording, and again with other seams."""
    plan = plan_conversion(where.config, source, str(voice), {})
    return _convert(where, plan), _convert(where, shifted(plan))


def shifted(plan: Plan) -> Plan:
    """Plan the same with every seam half a window's step away from where it was."""
    windows, length = plan.manifest.windows, plan.manifest.windows[-1].keep_to
    size, step = windows[0].length, windows[1].start
    last = clock.to_hop(length) - size
    starts = [0, *range(step // 2 // clock.CONTENT_HOP * clock.CONTENT_HOP, last, step), last]
    seams = [0, *(start + (size - step) // 2 for start in starts[1:]), length]
    spans = [
        Span(start=start, length=size, keep_from=begin, keep_to=end)
        for start, (begin, end) in zip(starts, pairwise(seams), strict=True)
    ]
    return replace(plan, manifest=plan.manifest.model_copy(update={"id": new_id(), "windows": spans}))


def _convert(where: Bench, plan: Plan) -> Converted:
    with where.submit(plan) as conversion:
        sound = np.concatenate(list(conversion.stream()))
    seams = [clock.sound_samples(span.keep_from) for span in plan.manifest.windows[1:]]
    return Converted(sound, np.array(seams))


def spectrum_row(pairs: Sequence[Pair]) -> Row:
    """Compare jumps of the spectrum at seams with those elsewhere, over all recordings."""
    both = [(mine, other) for pair in pairs for mine, other in (pair, pair[::-1])]
    at = np.concatenate([distances(mine.sound, around(mine.seams)) for mine, _ in both])
    control = np.concatenate([distances(other.sound, around(mine.seams)) for mine, other in both])
    away = np.concatenate([distances(mine.sound, elsewhere(mine.sound, mine.seams)) for mine, _ in both])
    plain, fair = (float(np.nanmean(at) / np.nanmean(base)) for base in (away, control))
    low, high = _interval(at, control)
    measured = (
        f"{plain:.3f} x elsewhere, {fair:.3f} x ({low:.3f} to {high:.3f}) the same moments without a seam; "
        f"{len(at)} seams of {len(pairs)} recordings"
    )
    figures = {
        "seams_db": float(np.nanmean(at)),
        "elsewhere_db": float(np.nanmean(away)),
        "control_db": float(np.nanmean(control)),
        "of_elsewhere": plain,
        "of_control": fair,
        "of_control_95": [low, high],
        "seams": len(at),
    }
    held = plain <= DISTANCE and fair <= DISTANCE
    return Row("log-spectral distance across seams", f"<= {DISTANCE} x elsewhere", measured, held, figures)


def level_row(name: str, pairs: Sequence[Pair]) -> Row:
    """Compare the level at seams with that elsewhere; single seams are told beside the spread of single places."""
    sides = [side for pair in pairs for side in pair]
    at = np.concatenate([powers(side.sound, side.seams) for side in sides])
    away = np.concatenate([powers(side.sound, elsewhere(side.sound, side.seams)) for side in sides])
    mean = decibels(at.mean() / away.mean())
    lowest, highest, few, many = (
        decibels(value / away.mean()) for value in (at.min(), at.max(), *np.percentile(away, [1, 99]))
    )
    measured = (
        f"{mean:+.2f} dB on average of {len(at)} seams; single ones {lowest:+.1f} to {highest:+.1f} dB, "
        f"98 % of places elsewhere {few:+.1f} to {many:+.1f} dB"
    )
    figures = {"mean_db": mean, "single_db": [lowest, highest], "elsewhere_1_99_db": [few, many], "seams": len(at)}
    return Row(f"level at seams, {name}", f"within {LEVEL_DB:g} dB", measured, abs(mean) <= LEVEL_DB, figures)


def _interval(at: Figures, control: Figures) -> tuple[float, float]:
    """Return the 95 % interval of the ratio of two means, over which seams there happened to be."""
    chance = np.random.default_rng(0)
    draws = (chance.integers(len(at), size=len(at)) for _ in range(_DRAWS))
    low, high = np.percentile([np.nanmean(at[draw]) / np.nanmean(control[draw]) for draw in draws], [2.5, 97.5])
    return float(low), float(high)


def stationary(folder: Path, seed: int, seconds: float) -> dict[str, Path]:
    """Write sounds whose level does not change; the voice that each is converted to is its own."""
    chance, length = np.random.default_rng(seed), round(seconds * bench.RATE)
    noise = 0.1 * chance.standard_normal(length)
    sine = 0.2 * np.sin(2 * np.pi * 440.0 * np.arange(length) / bench.RATE)
    named = {"noise": noise, "sine": sine}
    return {name: bench.write(folder / f"{name}.wav", iter([x.astype(np.float32)])) for name, x in named.items()}


def measure(folder: Path, seed: int, seconds: float = SECONDS, recordings: int = 4) -> list[Row]:
    """Convert speech between the bundled voices, and further speakers where there are any; then noise and a sine."""
    found = os.environ.get("VOXRELAY_SHARED")
    speakers = sorted(Path(found, "speech/dev/vcc2016").iterdir()) if found else []
    groups = [[clip] for clip in bench.CLIPS] + [sorted(speaker.iterdir())[:12] for speaker in speakers]
    with bench.relay(folder, vocoder="griffin-lim") as where:
        pairs = []
        for number in range(recordings):
            clips, voice = groups[number % len(groups)], groups[(number + 1) % len(groups)]
            source = bench.write(folder / f"{number}.wav", bench.speech(seconds, seed + number, clips))
            target = bench.write(folder / f"voice{number}.wav", bench.speech(20, seed + number, voice))
            pairs.append(convert_twice(where, source, target))
        rows = [spectrum_row(pairs)]
        for name, path in stationary(folder, seed, seconds).items():
            voice_path = stationary(folder / "home", seed + 1, 10)[name]
            rows.append(level_row(name, [convert_twice(where, path, voice_path)]))
    return rows


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
