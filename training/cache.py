"""Decoded sound of a corpus: one memory-mapped file of int16 at 22.05 kHz, and its index.

A cache is a folder: ``sound.i16`` (raw little-endian samples, recordings end to end) and
``index.json``. It is all that training reads, so it may be carried where no decoder is.
"""

import hashlib
import json
import logging
import math
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock, home
from voxrelay.relay.errors import BadInputError
from voxrelay.training import corpus
from voxrelay.training.corpus import Recording

INDEX, SOUND = "index.json", "sound.i16"
_FULL_SCALE = 32_767
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A recording's place in the cache: ``start`` and ``length`` in samples at 22.05 kHz."""

    name: str
    corpus: str
    speaker: str
    sex: str
    licence: str
    start: int
    length: int


@dataclass(frozen=True)
class Cache:
    """A cache folder: its clips, and their sound as int16 [samples] at 22.05 kHz, mapped from the disk."""

    folder: Path
    clips: tuple[Clip, ...]
    sound: NDArray[np.int16]

    def of(self, clip: Clip) -> NDArray[np.int16]:
        """Return a clip's samples, without a copy."""
        return self.sound[clip.start : clip.start + clip.length]


def prepare(data: Path, most: float = math.inf) -> Cache:
    """Open the cache of ``data``, decoding the recordings where that has not been done.

    Args:
        data: a ``metadata.csv``, a folder of recordings, or a cache folder.
        most: seconds of a speaker in a corpus after which no further recording of theirs is taken.

    Raises:
        BadInputError: nothing to train on, or a recording that is missing or cannot be decoded.

    """
    if (data / INDEX).is_file():
        return load(data)
    recordings = corpus.read(data)
    folder = home.home() / "training" / f"sound-{_fingerprint(recordings, most)}"
    if not (folder / INDEX).is_file():
        build(recordings, folder, most)
    return load(folder)


def load(folder: Path) -> Cache:
    """Open a cache folder.

    Raises:
        BadInputError: another rate than 22.05 kHz, or the sound is not as long as the index says.

    """
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    clips = tuple(Clip(**clip) for clip in index["clips"])
    sound = np.memmap(folder / SOUND, dtype="<i2", mode="r")
    if index["rate"] != clock.SOUND_RATE or clips[-1].start + clips[-1].length != len(sound):
        raise BadInputError("a damaged cache, or of another rate", where=str(folder), hint="remove it")
    return Cache(folder, clips, sound)


def build(recordings: Sequence[Recording], folder: Path, most: float = math.inf) -> None:
    """Decode recordings into a new cache folder, which appears only when it is complete."""
    _log.info("decoding %d recordings into %s", len(recordings), folder)
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    clips, start = [], 0
    with (unfinished / SOUND).open("wb") as file:
        for recording, sound in _decoded(recordings, most):
            file.write(sound.tobytes())
            facts = (recording.path.name, recording.corpus, recording.speaker, recording.sex, recording.licence)
            clips.append(Clip(*facts, start=start, length=len(sound)))
            start += len(sound)
    index = {"rate": clock.SOUND_RATE, "clips": [asdict(clip) for clip in clips]}
    (unfinished / INDEX).write_text(json.dumps(index), encoding="utf-8")
    unfinished.rename(folder)


def _fingerprint(recordings: Sequence[Recording], most: float) -> str:
    """Name what a cache is made of."""
    for recording in recordings:
        if not recording.path.is_file():
            raise BadInputError("no such recording", where=str(recording.path))
    facts = [(*map(str, astuple(recording)), recording.path.stat().st_size) for recording in recordings]
    return hashlib.sha256(json.dumps([most, facts]).encode()).hexdigest()[:12]


def _decoded(recordings: Sequence[Recording], most: float) -> Iterator[tuple[Recording, NDArray[np.int16]]]:
    """Decode each in turn, but none of a speaker who has ``most`` seconds in that corpus."""
    taken: dict[tuple[str, str], float] = defaultdict(float)
    for recording in recordings:
        speaker = (recording.corpus, recording.speaker)
        if taken[speaker] < most:
            sound = _decode(recording.path)
            taken[speaker] += len(sound) / clock.SOUND_RATE
            yield recording, sound


def _decode(path: Path) -> NDArray[np.int16]:
    """Read a recording as mono int16 [samples] at 22.05 kHz."""
    import soundfile
    import soxr

    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadInputError(f"cannot be decoded: {error}", where=str(path)) from error
    sound = soxr.resample(sound.mean(axis=1), rate, clock.SOUND_RATE)
    samples: NDArray[np.int16] = np.rint(np.clip(sound, -1, 1) * _FULL_SCALE).astype("<i2")
    return samples
