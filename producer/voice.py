"""Target voices: recordings named by the user, cut into the clips that the pools prepare."""

import glob
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voxrelay.producer.level import SILENCE_DB, Samples, speech_level
from voxrelay.producer.recording import Recording, cut, survey
from voxrelay.relay import clock
from voxrelay.relay.config import Config
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Reference

SHORT_REFERENCE = 3.0


@dataclass(frozen=True)
class Clip:
    """One window of a reference, at the common level, and its place in the manifest."""

    samples: Samples
    reference: Reference


@dataclass(frozen=True)
class TargetVoice:
    """All clips of the voices that are blended, and what is worth knowing about them."""

    clips: tuple[Clip, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def references(self) -> list[Reference]:
        """The manifest's entries."""
        return [clip.reference for clip in self.clips]


def read_voices(names: Sequence[str], config: Config) -> TargetVoice:
    """Read voices, each a file, a folder or a glob; several are blended in equal parts.

    However long a voice is, no more than ``limits.reference`` seconds of it are held.

    Raises:
        BadInputError: a name matches nothing, or a voice is unreadable, too short or silent.

    """
    clips: list[Clip] = []
    notes: list[str] = []
    for name in names:
        recordings = [survey(path, config.limits.shortest, config.limits.source) for path in find_recordings(name)]
        clips += _cut(name, recordings, config, share=1 / len(names))
        notes += _notes(name, recordings, config)
    return TargetVoice(tuple(clips), tuple(notes))


def find_recordings(name: str) -> list[Path]:
    """Find the recordings that a voice consists of, in the order of their names.

    Raises:
        BadInputError: there is none.

    """
    path = Path(name).expanduser()
    if path.is_dir():
        suffixes = {f".{kind.lower()}" for kind in soundfile.available_formats()} | {".opus", ".oga", ".aif"}
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes)
        if not found:
            raise BadInputError("no recordings in this folder", where=name)
        return found
    if path.exists():
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path)))  # noqa: PTH207 - absolute patterns
    if not found:
        raise BadInputError("there is no such file, folder or match", where=name, hint="--voice takes any of these")
    return found


def _notes(name: str, recordings: list[Recording], config: Config) -> list[str]:
    """Say what is unusual about the recordings, and how much of the voice is used."""
    notes = [f"{recording.path.name}: {note}" for recording in recordings for note in recording.notes]
    seconds = sum(recording.length for recording in recordings) / clock.RATE
    if seconds > config.limits.reference:
        notes.append(f"voice {name}: the first {config.limits.reference:g} s of {seconds:.0f} s are used")
    if seconds < SHORT_REFERENCE:
        notes.append(f"voice {name}: only {seconds:.2f} s of reference; 10 s or more sound more like the person")
    return notes


def _cut(name: str, recordings: list[Recording], config: Config, share: float) -> list[Clip]:
    """Join recordings up to the limit, cut them into windows without context and drop the silent ones."""
    length = sum(recording.length for recording in recordings)
    used = min(length, round(config.limits.reference * clock.RATE))
    windows = clock.plan_windows(used, config.window.samples, 0)
    pieces = cut(_at_one_level(recordings), used, windows)
    spoken = [piece for piece in pieces if speech_level(piece) >= SILENCE_DB]
    if not spoken:
        raise BadInputError("the reference is silent", where=name, hint="a voice needs speech to be heard")
    total = sum(len(piece) for piece in spoken)
    return [
        Clip(
            piece,
            Reference(
                digest=hashlib.sha256(piece.tobytes()).hexdigest()[:32],
                seconds=len(piece) / clock.RATE,
                weight=share * len(piece) / total,
            ),
        )
        for piece in spoken
    ]


def _at_one_level(recordings: list[Recording]) -> Iterator[Samples]:
    """Yield the sound of recordings, one after the other, in blocks."""
    for recording in recordings:
        for block in recording.blocks():
            yield block * np.float32(recording.gain)
