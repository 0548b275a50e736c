"""Recordings as they come in: any format that libsndfile reads, checked, made 16 kHz mono."""

import hashlib
from collections.abc import Iterable, Iterator
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
QUIET_BELOW_SPEECH_DB = 40.0
QUIET_SECONDS = 0.2
SHORT_SOURCE = 1.5
BLOCK = 65_536  # frames of a file that are decoded at a time
_FORMATS = "any format of libsndfile: wav, flac, ogg, opus, mp3, aiff, au, caf, ..."


@dataclass(frozen=True)
class Recording:
    """A recording as a first pass over it found it; its samples stay in the file.

    ``length`` is in samples at 16 kHz, mono; ``gain`` brings its speech to the common level, 1 for
    silence; ``digest`` is a hash of the samples; ``quiet`` are its stretches of silence at 16 kHz.
    """

    path: Path
    length: int
    rate: int
    channels: int
    gain: float
    digest: str
    quiet: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.length / clock.RATE

    def blocks(self) -> Iterator[Samples]:
        """Read it a block at a time: float32 [samples] at 16 kHz, mono."""
        return _blocks(self.path)

    def windows(self, windows: Iterable[clock.Window]) -> Iterator[Samples]:
        """Read windows, in order of their starts; the end of the last is filled up to 20 ms with zeros."""
        blocks, held, origin = self.blocks(), np.zeros(0, dtype=np.float32), 0  # origin: where held begins
        for window in windows:
            while origin + len(held) < window.start + window.length and (block := next(blocks, None)) is not None:
                held = np.concatenate([held, block])
                passed = min(max(window.start - origin, 0), len(held))
                held, origin = held[passed:], origin + passed
            piece = held[window.start - origin :][: window.length]
            yield np.pad(piece, (0, window.length - len(piece)))


def survey(path: Path, shortest: float, longest: float) -> Recording:
    """Read a recording once, a block at a time, for what must be known before any of it is converted.

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
    digest, powers, length, rest = hashlib.sha256(), [], 0, np.zeros(0, dtype=np.float32)
    for block in _blocks(path):
        digest.update(block.tobytes())
        length += len(block)
        whole, rest = _whole_frames(np.concatenate([rest, block]))
        powers.append(_powers(whole))
    power = np.concatenate(powers)
    level = _speech_level(power)
    return Recording(
        path,
        length,
        int(info.samplerate),
        int(info.channels),
        gain=1.0 if level < SILENCE_DB else float(10 ** ((LEVEL_DB - level) / 20)),
        digest=digest.hexdigest()[:32],
        quiet=_quiet(power, level, length),
        notes=_notes(info, seconds),
    )


def speech_level(samples: Samples) -> float:
    """Measure the level of the speech in dBFS: of 20 ms frames, those within 30 dB of the loudest."""
    return _speech_level(_powers(_whole_frames(samples)[0]))


def _blocks(path: Path) -> Iterator[Samples]:
    """Decode a file, mix it to mono and resample it to 16 kHz, a block at a time."""
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        resampler = None if rate == clock.RATE else soxr.ResampleStream(rate, clock.RATE, 1, dtype="float32")
        while len(sound := file.read(BLOCK, dtype="float32", always_2d=True)):
            if not np.isfinite(sound).all():
                raise BadInputError(
                    "holds samples that are not finite numbers", where=str(path), hint="export it again"
                )
            mono = sound.mean(axis=1, dtype=np.float32)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        if resampler is not None:
            yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _whole_frames(samples: Samples) -> tuple[Samples, Samples]:
    """Split samples into whole frames of 20 ms, [frames, 320], and the rest."""
    whole = len(samples) // clock.CONTENT_HOP * clock.CONTENT_HOP
    return samples[:whole].reshape(-1, clock.CONTENT_HOP), samples[whole:]


def _powers(frames: Samples) -> NDArray[np.float64]:
    power: NDArray[np.float64] = np.square(frames, dtype=np.float64).mean(axis=1)
    return power


def _speech_level(power: NDArray[np.float64]) -> float:
    speech = power[power >= power.max(initial=0.0) / 1000]
    return float(10 * np.log10((speech.mean() if len(speech) else 0.0) + 1e-12))


def _quiet(power: NDArray[np.float64], level: float, length: int) -> tuple[tuple[int, int], ...]:
    """Find stretches of silence, not of soft speech or of a room: they shall stay silent."""
    if level < SILENCE_DB:
        return ((0, length),)
    silent = power <= 10 ** (min(SILENCE_DB, level - QUIET_BELOW_SPEECH_DB) / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(np.int8), [0]])))
    stretches = edges.reshape(-1, 2) * clock.CONTENT_HOP
    return tuple((int(start), int(stop)) for start, stop in stretches if stop - start >= QUIET_SECONDS * clock.RATE)


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
