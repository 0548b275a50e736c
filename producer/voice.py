"""Target voices: recordings and saved voices named by the user, cut into the clips that the pools prepare."""

import glob
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from voxrelay.producer.level import SILENCE_DB, Samples, speech_level
from voxrelay.producer.recording import Recording, cut, survey
from voxrelay.relay import clock
from voxrelay.relay.config import Config
from voxrelay.relay.corpus import SUFFIXES
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Reference
from voxrelay.relay.tensors import Tensor

SHORT_REFERENCE = 3.0


@dataclass(frozen=True)
class Clip:
    """One window of a reference, at the common level, and its place in the manifest.

    ``prepared`` holds what a saved voice has of it already, by ``STAGE.MODEL``, or by ``STAGE`` where it
    is the same whatever the model.
    """

    samples: Samples
    reference: Reference
    prepared: Mapping[str, Tensor] = field(default_factory=dict)

    def weighed(self, share: float) -> "Clip":
        """Return it with a share of its weight."""
        weight = self.reference.weight * share
        return replace(self, reference=self.reference.model_copy(update={"weight": weight}))


@dataclass(frozen=True)
class TargetVoice:
    """All clips of the voices that are blended, and what is worth knowing about them."""

    clips: tuple[Clip, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def references(self) -> list[Reference]:
        """The manifest's entries."""
        return [clip.reference for clip in self.clips]


def find_recordings(name: str, hint: str = "a file, a folder or a quoted glob is wanted") -> list[Path]:
    """Find the recordings that a voice consists of, in the order of their names.

    Raises:
        BadInputError: there is none.

    """
    path = Path(name).expanduser()
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not found:
            raise BadInputError("no recordings in this folder", where=name)
        return found
    if path.exists():
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path)))  # noqa: PTH207 - absolute patterns
    if not found:
        raise BadInputError("there is no such file, folder or match", where=name, hint=hint)
    return found


def survey_all(paths: Iterable[Path], config: Config) -> list[Recording]:
    """Read recordings once, to know what they are."""
    return [survey(path, config.limits.shortest, config.limits.source) for path in paths]


def notes_on(name: str, recordings: Sequence[Recording], config: Config) -> list[str]:
    """Say what is unusual about the recordings of a voice, and how much of it is used."""
    notes = [f"{recording.path.name}: {note}" for recording in recordings for note in recording.notes]
    seconds = sum(recording.seconds for recording in recordings)
    if seconds > config.limits.reference:
        notes.append(f"voice {name}: the first {config.limits.reference:g} s of {seconds:.0f} s are used")
    if seconds < SHORT_REFERENCE:
        notes.append(f"voice {name}: only {seconds:.2f} s of reference; 10 s or more sound more like the person")
    return notes


def cut_recordings(name: str, recordings: Sequence[Recording], config: Config, share: float) -> list[Clip]:
    """Join recordings up to the limit and cut them into clips: see :func:`cut_clips`."""
    length = sum(recording.length for recording in recordings)
    used = min(length, round(config.limits.reference * clock.RATE))
    return cut_clips(name, at_one_level(recordings), used, config, share)


def cut_clips(name: str, blocks: Iterator[Samples], length: int, config: Config, share: float) -> list[Clip]:
    """Cut sound into windows without context and drop the silent ones.

    Args:
        name: of the voice, for errors.
        blocks: float32 [samples] at 16 kHz, at the common level.
        length: samples that are used.
        config: says how long a window is.
        share: of this voice among those that are blended; its clips weigh as much together.

    Raises:
        BadInputError: all of it is silent.

    """
    windows = clock.plan_windows(length, config.window.samples, 0)
    spoken = [piece for piece in cut(blocks, length, windows) if speech_level(piece) >= SILENCE_DB]
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


def at_one_level(recordings: Iterable[Recording]) -> Iterator[Samples]:
    """Yield the sound of recordings, one after the other, in blocks, their speech at the common level."""
    for recording in recordings:
        for block in recording.blocks():
            yield block * np.float32(recording.gain)
