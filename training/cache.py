"""Decoded sound of a corpus: one memory-mapped file of int16 at one rate, and its index.

A cache is a folder: ``sound.i16`` (raw little-endian samples, recordings end to end) and
``index.json``. It is all that training reads, so it may be carried where no decoder is.
"""

import hashlib
import json
import logging
import math
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock, home
from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadInputError
from voxrelay.training import corpus
from voxrelay.training.once import once

INDEX, SOUND = "index.json", "sound.i16"
_FULL_SCALE = 32_767
Samples = NDArray[np.int16]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A recording's place in the cache: ``start`` and ``length`` in samples."""

    name: str
    corpus: str
    speaker: str
    sex: str
    licence: str
    start: int = 0
    length: int = 0
    text: str = ""


@dataclass(frozen=True)
class Cache:
    """A cache folder: its clips, and their sound as int16 [samples] at ``rate`` Hz, mapped from the disk."""

    folder: Path
    clips: tuple[Clip, ...]
    sound: Samples
    rate: int = clock.SOUND_RATE

    def of(self, clip: Clip) -> Samples:
        """Return a clip's samples, without a copy."""
        return self.sound[clip.start : clip.start + clip.length]

    def floats(self, clip: Clip) -> NDArray[np.float32]:
        """Return a clip as float32 [samples] in -1..1."""
        sound: NDArray[np.float32] = self.of(clip).astype(np.float32) / np.float32(_FULL_SCALE)
        return sound


def prepare(data: Path, most: float = math.inf, rate: int = clock.SOUND_RATE) -> Cache:
    """Open the cache of ``data``, decoding the recordings where that has not been done.

    Args:
        data: a ``metadata.csv``, a folder of recordings, or a cache folder.
        most: seconds of a speaker in a corpus after which no further recording of theirs is taken.
        rate: samples a second that the recipe works at.

    Raises:
        BadInputError: nothing to train on, or a recording that is missing or cannot be decoded.

    """
    if (data / INDEX).is_file():
        return load(data, rate)
    recordings = corpus.read(data)
    folder = home.home() / "training" / f"sound-{_fingerprint(recordings, most, rate)}"
    with once(folder) as missing:
        if missing:
            build(recordings, folder, most, rate)
    return load(folder, rate)


def load(folder: Path, rate: int = clock.SOUND_RATE) -> Cache:
    """Open a cache folder.

    Raises:
        BadInputError: another rate than 22.05 kHz, or the sound is not as long as the index says.

    """
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    clips = tuple(Clip(**clip) for clip in index["clips"])
    sound = np.memmap(folder / SOUND, dtype="<i2", mode="r")
    if index["rate"] != rate or clips[-1].start + clips[-1].length != len(sound):
        raise BadInputError("a damaged cache, or of another rate", where=str(folder), hint="remove it")
    return Cache(folder, clips, sound, rate)


def build(recordings: Sequence[Utterance], folder: Path, most: float = math.inf, rate: int = clock.SOUND_RATE) -> None:
    """Decode recordings into a new cache folder."""
    _log.info("decoding %d recordings into %s", len(recordings), folder)
    write(folder, rate, (_clip(recording, sound) for recording, sound in _decoded(recordings, most, rate)))


def write(folder: Path, rate: int, told: Iterable[tuple[Clip, Samples]]) -> None:
    """Write a new cache folder, which appears only when it is complete; clips are put end to end."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    clips, start = [], 0
    with (unfinished / SOUND).open("wb") as file:
        for clip, sound in told:
            file.write(sound.tobytes())
            clips.append(replace(clip, start=start, length=len(sound)))
            start += len(sound)
    index = {"rate": rate, "clips": [asdict(clip) for clip in clips]}
    (unfinished / INDEX).write_text(json.dumps(index), encoding="utf-8")
    unfinished.rename(folder)


def samples(sound: NDArray[np.floating]) -> Samples:
    """Turn sound in -1..1 into what a cache holds."""
    found: Samples = np.rint(np.clip(sound, -1, 1) * _FULL_SCALE).astype("<i2")
    return found


def _clip(recording: Utterance, sound: Samples) -> tuple[Clip, Samples]:
    facts = (recording.path.name, recording.corpus, recording.speaker, recording.sex, recording.licence)
    return Clip(*facts, text=recording.text), sound


def _fingerprint(recordings: Sequence[Utterance], most: float, rate: int) -> str:
    """Name what a cache is made of."""
    for recording in recordings:
        if not recording.path.is_file():
            raise BadInputError("no such recording", where=str(recording.path))
    facts = [(*map(str, astuple(recording)), recording.path.stat().st_size) for recording in recordings]
    return hashlib.sha256(json.dumps([most, rate, facts]).encode()).hexdigest()[:12]


def _decoded(recordings: Sequence[Utterance], most: float, rate: int) -> Iterator[tuple[Utterance, Samples]]:
    """Decode each in turn, but none of a speaker who has ``most`` seconds in that corpus."""
    taken: dict[tuple[str, str], float] = defaultdict(float)
    for recording in recordings:
        speaker = (recording.corpus, recording.speaker)
        if taken[speaker] < most:
            sound = _decode(recording.path, rate)
            taken[speaker] += len(sound) / rate
            yield recording, sound


def _decode(path: Path, rate: int) -> Samples:
    """Read a recording as mono int16 [samples] at ``rate`` Hz."""
    import soundfile
    import soxr

    try:
        sound, own = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadInputError(f"cannot be decoded: {error}", where=str(path)) from error
    return samples(soxr.resample(sound.mean(axis=1), own, rate))
