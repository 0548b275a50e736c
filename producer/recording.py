"""Recordings as they come in: any format that libsndfile reads, checked, made 16 kHz mono."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError

Samples = NDArray[np.float32]

# All speech is brought to one level before it is encoded, and the result back to the source's.
LEVEL_DB = -23.0
SILENCE_DB = -60.0
SHORT_SOURCE = 1.5
_FORMATS = "any format of libsndfile: wav, flac, ogg, opus, mp3, aiff, au, caf, ..."


@dataclass(frozen=True)
class Recording:
    """Mono sound, float32 [samples] at 16 kHz, as it was recorded, and what is worth knowing about it."""

    path: Path
    samples: Samples
    rate: int
    channels: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / clock.RATE

    @property
    def gain(self) -> float:
        """Factor that brings its speech to the common level; 1 for silence."""
        level = speech_level(self.samples)
        return 1.0 if level < SILENCE_DB else float(10 ** ((LEVEL_DB - level) / 20))


def read(path: Path, shortest: float, longest: float) -> Recording:
    """Read a recording.

    Args:
        path: the file.
        shortest: seconds below which it is refused.
        longest: seconds above which it is refused.

    Raises:
        BadInputError: it is missing, not audio, empty, not finite, too short or too long.

    """
    info = _inspect(path)
    seconds = info.frames / info.samplerate
    where = str(path)
    if info.frames == 0:
        raise BadInputError("holds no samples", where=where, hint="was the recording stopped before it began?")
    if seconds < shortest:
        raise BadInputError(f"{seconds:.2f} s is too short", where=where, hint=f"at least {shortest:g} s are needed")
    if seconds > longest:
        hint = f"at most {longest:g} s are accepted: cut it, or raise `limits` in queues.yml"
        raise BadInputError(f"{seconds:.1f} s is too long", where=where, hint=hint)
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if not np.isfinite(sound).all():
        raise BadInputError("holds samples that are not finite numbers", where=where, hint="export it again")
    mono = sound.mean(axis=1, dtype=np.float32)
    samples = mono if rate == clock.RATE else soxr.resample(mono, rate, clock.RATE)
    notes = _notes(info, seconds)
    return Recording(path, np.ascontiguousarray(samples, dtype=np.float32), int(rate), sound.shape[1], notes)


def speech_level(samples: Samples) -> float:
    """Measure the level of the speech in dBFS: of 20 ms frames, those within 30 dB of the loudest."""
    frames = samples[: len(samples) // clock.CONTENT_HOP * clock.CONTENT_HOP].reshape(-1, clock.CONTENT_HOP)
    power = np.square(frames, dtype=np.float64).mean(axis=1) if len(frames) else np.zeros(1)
    speech = power[power >= power.max() / 1000]
    return float(10 * np.log10(speech.mean() + 1e-12))


def _inspect(path: Path) -> soundfile._SoundFileInfo:
    if path.is_dir():
        raise BadInputError("is a folder", where=str(path), hint="name one recording")
    if not path.is_file():
        raise BadInputError("there is no such file", where=str(path), hint="check the path")
    if path.stat().st_size == 0:
        raise BadInputError("is an empty file", where=str(path), hint=_FORMATS)
    try:
        return soundfile.info(path)
    except soundfile.SoundFileError as error:
        raise BadInputError("is not audio that can be read", where=str(path), hint=_FORMATS) from error


def _notes(info: soundfile._SoundFileInfo, seconds: float) -> tuple[str, ...]:
    """Say what is unusual about a recording that is converted all the same."""
    notes = []
    if info.samplerate < clock.RATE:
        notes.append(
            f"recorded at {info.samplerate} Hz: there is no sound above {info.samplerate / 2000:g} kHz to work with"
        )
    if info.channels > 1:
        notes.append(f"{info.channels} channels were mixed to one")
    if info.subtype in ("PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        notes.append(f"{info.subtype_info}: the result is written with 16 bit")
    if seconds < SHORT_SOURCE:
        notes.append(f"only {seconds:.2f} s: the shorter, the less reliable")
    return tuple(notes)
