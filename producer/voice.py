"""Target voices: recordings named by the user, cut into the clips that the pools prepare."""

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voxrelay.producer.recording import SILENCE_DB, Recording, Samples, speech_level, survey
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

    Raises:
        BadInputError: a name matches nothing, or a voice is unreadable, too short or silent.

    """
    clips: list[Clip] = []
    notes: list[str] = []
    for name in names:
        recordings = [survey(path, config.limits.shortest, config.limits.source) for path in find_recordings(name)]
        joined, said = _join(name, recordings, config)
        clips += _cut(name, joined, config, share=1 / len(names))
        notes += said
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


def _join(name: str, recordings: list[Recording], config: Config) -> tuple[Samples, list[str]]:
    """Bring recordings to one level and join them, up to the limit; no more of them is read."""
    notes = [f"{recording.path.name}: {note}" for recording in recordings for note in recording.notes]
    total, limit = sum(recording.length for recording in recordings), round(config.limits.reference * clock.RATE)
    pieces: list[Samples] = []
    for block in (block * np.float32(recording.gain) for recording in recordings for block in recording.blocks()):
        pieces.append(block)
        if sum(map(len, pieces)) >= limit:
            break
    joined = np.concatenate(pieces)[:limit]
    if total > limit:
        seconds = total / clock.RATE
        notes.append(f"voice {name}: the first {config.limits.reference:g} s of {seconds:.0f} s are used")
    if total < SHORT_REFERENCE * clock.RATE:
        seconds = total / clock.RATE
        notes.append(f"voice {name}: only {seconds:.2f} s of reference; 10 s or more sound more like the person")
    return joined, notes


def _cut(name: str, samples: Samples, config: Config, share: float) -> list[Clip]:
    """Cut a voice into windows without context and drop the silent ones."""
    windows = clock.plan_windows(len(samples), config.window.samples, 0)
    pieces = [_slice(samples, window) for window in windows]
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


def _slice(samples: Samples, window: clock.Window) -> Samples:
    """Take a window out of a voice; the last is filled up to 20 ms with zeros."""
    piece = samples[window.start : window.start + window.length]
    return np.pad(piece, (0, window.length - len(piece)))
