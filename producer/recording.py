"""Recordings as they come in: any format that libsndfile reads, checked, made 16 kHz mono.

A recording is read twice and never held: once to find out what there is to know before a job can be
written down, and once more for the sound of its windows. Both passes give the same samples.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxrelay.producer import level
from voxrelay.producer.level import Samples
from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError

SHORT_SOURCE = 1.5
_BLOCK = 65_536  # frames that are read at a time, at the recording's own rate
_FORMATS = "any format of libsndfile: wav, flac, ogg, opus, mp3, aiff, au, caf, ..."


@dataclass(frozen=True)
class Recording:
    """What a first pass found out about a recording; positions and lengths are samples at 16 kHz.

    ``rate`` and ``channels`` are the file's own. ``gain`` brings the level of its speech to
    ``level.LEVEL_DB``, and is 1 for silence. ``digest`` is the hash of its float32 samples, ``quiet``
    the stretches (start, stop) in which nothing is said.
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
        """Yield all of its sound, float32 [samples] at 16 kHz, a block at a time.

        Raises:
            BadInputError: the file is no longer what it was.

        """
        length = 0
        for block in _blocks(self.path):
            length += len(block)
            yield block
        if length != self.length:
            what = f"was {self.length} samples long and is now {length}"
            raise BadInputError(what, where=str(self.path), hint="leave it alone while it is converted")

    def windows(self, windows: Iterable[clock.Window]) -> Iterator[Samples]:
        """Yield the sound of windows, float32 [samples] at 16 kHz as recorded; see :func:`cut`."""
        return cut(self.blocks(), self.length, windows)


def survey(path: Path, shortest: float, longest: float) -> Recording:
    """Read a recording once, to know what it is.

    Args:
        path: the file.
        shortest: seconds below which it is refused.
        longest: seconds above which it is refused.

    Raises:
        BadInputError: it is missing, not audio, empty, not finite, too short or too long.

    """
    info = _inspect(path)
    _check_length(path, info.frames / info.samplerate, shortest, longest)
    digest, meter, length = hashlib.sha256(), level.Meter(), 0
    for block in _blocks(path):
        digest.update(block.data)
        meter.add(block)
        length += len(block)
    _check_length(path, length / clock.RATE, shortest, longest)  # a damaged header promises anything
    return Recording(
        path=path,
        length=length,
        rate=info.samplerate,
        channels=info.channels,
        gain=meter.gain,
        digest=digest.hexdigest()[:32],
        quiet=meter.quiet,
        notes=_notes(info, info.frames / info.samplerate),
    )


def cut(blocks: Iterator[Samples], length: int, windows: Iterable[clock.Window]) -> Iterator[Samples]:
    """Yield windows, in the order of their starts, of sound that comes in blocks.

    Holds no more than one block and one window. A window that goes beyond ``length`` samples is filled
    up with zeros; the blocks hold at least as many.
    """
    held, origin = np.zeros(0, dtype=np.float32), 0
    for window in windows:
        stop = min(window.start + window.length, length)
        while origin + len(held) < stop:
            past = min(window.start - origin, len(held))
            held, origin = np.concatenate([held[past:], next(blocks)]), origin + past
        piece = held[window.start - origin : stop - origin]
        yield np.pad(piece, (0, window.length - len(piece)))


def _blocks(path: Path) -> Iterator[Samples]:
    """Yield mono sound, float32 [samples] at 16 kHz, in blocks.

    Raises:
        BadInputError: a sample is not finite, or what follows cannot be decoded.

    """
    try:
        with soundfile.SoundFile(path) as file:
            resampler = None if file.samplerate == clock.RATE else soxr.ResampleStream(file.samplerate, clock.RATE, 1)
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    what, hint = "holds samples that are not finite numbers", "export it again"
                    raise BadInputError(what, where=str(path), hint=hint)
                mono = block.mean(axis=1, dtype=np.float32)
                yield resampler.resample_chunk(mono) if resampler else mono
            if resampler:
                yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
    except soundfile.SoundFileError as error:
        raise BadInputError("is not audio that can be read", where=str(path), hint=_FORMATS) from error


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


def _check_length(path: Path, seconds: float, shortest: float, longest: float) -> None:
    where = str(path)
    if seconds == 0:
        raise BadInputError("holds no samples", where=where, hint="was the recording stopped before it began?")
    if seconds < shortest:
        raise BadInputError(f"{seconds:.2f} s is too short", where=where, hint=f"at least {shortest:g} s are needed")
    if seconds > longest:
        hint = f"at most {longest:g} s are accepted: cut it, or raise `limits` in queues.yml"
        raise BadInputError(f"{seconds:.1f} s is too long", where=where, hint=hint)


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
