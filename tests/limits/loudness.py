"""Loudness: converted speech is as loud as its source, and its digital silence stays silence."""

from pathlib import Path

import numpy as np
import soxr

from limits import bench
from limits.bench import Bench, Row, Sound
from voxrelay.producer.level import speech_level
from voxrelay.producer.plan import plan_conversion
from voxrelay.relay import clock

LEVELS = (-40.0, -23.0, -10.0)
BOUND_DB = 2.0
SILENT = (6.0, 8.0)  # seconds
_FADE = 0.02  # seconds in which a pause begins and ends
_STEPS = 20


def source(seconds: float, seed: int, level: float) -> Sound:
    """Make speech of a level in dBFS with a stretch of digital silence; a loud one is clipped, as loud ones are."""
    sound = np.concatenate(list(bench.speech(seconds, seed)))
    sound[round(SILENT[0] * bench.RATE) : round(SILENT[1] * bench.RATE)] = 0
    made = sound
    for _ in range(_STEPS):  # clipping takes some level away
        sound = sound * np.float32(10 ** ((level - speech_level(made)) / 20))
        made = np.clip(sound, -1, 1)
    return made


def convert(where: Bench, folder: Path, seed: int, level: float, seconds: float) -> dict[str, float]:
    """Convert speech of a level; returns the levels of both in dBFS, and the loudest sample of the silence."""
    path = bench.write(folder / f"level{level:.0f}.wav", iter([source(seconds, seed, level)]))
    plan = plan_conversion(where.config, path, str(bench.CLIPS[(seed + 1) % 2]), {})
    with where.submit(plan) as conversion:
        sound = np.concatenate(list(conversion.stream()))
    begin, end = (round((edge) * clock.SOUND_RATE) for edge in (SILENT[0] + _FADE, SILENT[1] - _FADE))
    resampled = soxr.resample(sound, clock.SOUND_RATE, clock.RATE)
    found = {"source_db": speech_level(bench.read(path)), "converted_db": speech_level(resampled)}
    return {**found, "loudest_of_silence": float(np.abs(sound[begin:end]).max())}


def measure(folder: Path, seed: int, seconds: float = 30) -> list[Row]:
    """Convert speech of three levels."""
    with bench.relay(folder, vocoder="griffin-lim") as where:
        found = [convert(where, folder, seed, level, seconds) for level in LEVELS]
    off = [one["converted_db"] - one["source_db"] for one in found]
    told = ", ".join(f"{by:+.2f} dB at {one['source_db']:.0f} dBFS" for one, by in zip(found, off, strict=True))
    loudest = max(one["loudest_of_silence"] for one in found)
    held = max(map(abs, off)) <= BOUND_DB
    silence = Row("digital silence", "stays silence", f"loudest sample {loudest:g}", loudest == 0, {"loudest": loudest})
    figures = {"conversions": found}
    return [Row("level of the speech", f"within {BOUND_DB:g} dB of the source's", told, held, figures), silence]


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
