"""The sounds of an evaluation that are not conversions: what is said, whose voice, and bounds to hold them against."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxrelay.evaluation.pairs import LONGEST
from voxrelay.producer.level import Samples
from voxrelay.producer.recording import survey
from voxrelay.producer.voice import TargetVoice
from voxrelay.relay import clock
from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadInputError

_SHORTEST, _LONGEST = 0.1, 3600.0
_NOISE = 1e-4  # RMS of the round trip's noise, -80 dBFS: a few steps of 16 bits


def timed(recordings: Iterable[Utterance]) -> list[Utterance]:
    """Measure how long those recordings are of which nothing says it.

    Raises:
        BadInputError: one cannot be read.

    """
    return [one if one.seconds else replace(one, seconds=_seconds(one.path)) for one in recordings]


def _seconds(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError as error:
        raise BadInputError("is not audio that can be read", where=str(path)) from error


def write_joined(recordings: Iterable[Utterance], path: Path, seconds: float) -> Path:
    """Write recordings as one of 16 kHz mono, cut at twice the ``seconds`` that it should have at least."""
    if not path.exists():
        write(path, joined([recording.path for recording in recordings], seconds))
    return path


def joined(paths: Iterable[Path], seconds: float) -> Samples:
    """Read recordings as one, float32 [samples] at 16 kHz, until they last ``seconds``; cut at twice that."""
    sounds: list[Samples] = []
    for path in paths:
        if sum(map(len, sounds)) < seconds * clock.RATE:
            sounds.append(read(path))
    return np.concatenate(sounds)[: round(LONGEST * seconds * clock.RATE)]


def of_voice(voice: TargetVoice, seconds: float) -> Samples:
    """Join what a voice says, float32 [samples] at 16 kHz, at the common level; cut at ``seconds``."""
    return np.concatenate([clip.samples for clip in voice.clips])[: round(seconds * clock.RATE)]


def write_source(recording: Utterance, path: Path) -> Path:
    """Write an utterance at 16 kHz mono."""
    if not path.exists():
        write(path, read(recording.path))
    return path


def write_round_trip(source: Path, path: Path) -> Path:
    """Write what a recording becomes by nothing but 22.05 kHz, a noise nobody hears, and 16 kHz again.

    What judges make of it is their own error.
    """
    if not path.exists():
        sound = read(source)
        there = soxr.resample(sound, clock.RATE, clock.SOUND_RATE)
        noise = np.random.default_rng(0).normal(0, _NOISE, len(there))
        back = soxr.resample((there + noise).astype(np.float32), clock.SOUND_RATE, clock.RATE)
        write(path, back[: len(sound)])
    return path


def read(path: Path) -> Samples:
    """Read a recording, float32 [samples] at 16 kHz.

    Raises:
        BadInputError: it cannot be used.

    """
    return np.concatenate(list(survey(path, _SHORTEST, _LONGEST).blocks()))


def write(path: Path, sound: Samples) -> None:
    """Write sound at 16 kHz; the file appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.part{path.suffix}")
    soundfile.write(partial, sound, clock.RATE, subtype="PCM_16")
    partial.replace(path)
