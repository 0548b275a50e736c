"""Saved voices: one safetensors file each, the same in the folder of voices and where it is exported to.

A saved voice is its sound, and beside it what the pools made of the sound's clips. The sound alone is
enough: where the window, a model or its options have changed, the clips are prepared again.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxrelay.producer.output import beside
from voxrelay.producer.pitch import Register
from voxrelay.producer.provenance import own_version
from voxrelay.producer.voice import Clip, cut_clips
from voxrelay.relay import clock, flac, home, safetensors
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.safetensors import Arrays
from voxrelay.relay.tensors import MEL, Content, Mel, Tensor, Voice

SUFFIX = ".safetensors"
_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
_TYPE, _WIRE = "SavedVoice", "1"
_RANKS = {"speaker": 2, "speech": 1, "content": 3, "mel": 3, "embedding": 1, "sound": 1}
Option = str | int | float | bool | None


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Maker(_Record):
    """The model that prepared the clips, and its options then."""

    model: str
    options: dict[str, Option]

    @classmethod
    def of(cls, config: Config, stage: Stage) -> Self:
        """Return the model of the profile as it is now."""
        model = config.chain()[stage]
        return cls(model=model, options=dict(config.stages[stage][model].options))

    def is_still(self, config: Config, stage: Stage) -> bool:
        """Whether there is a model of that name with the same options."""
        now = config.stages[stage].get(self.model)
        return now is not None and now.options == self.options


class Facts(_Record):
    """What is known of a voice besides its arrays.

    ``clips`` is a hash of the clips that were prepared, ``version`` of voxrelay then. ``seconds`` count the
    sound, ``speech`` what the speaker model heard as speech in it.
    """

    name: Annotated[str, Field(pattern=_NAME.pattern)]
    added: str
    version: str
    seconds: float
    speech: float
    pitch: Register
    speaker: Maker
    content: Maker
    clips: str
    notes: list[str]


@dataclass(frozen=True)
class SavedVoice:
    """A voice under a name.

    ``arrays``: ``speaker`` float32 [clips, dimensions] and ``speech``, seconds of it in each, float32 [clips];
    ``content`` float [clips, frames, features]; ``mel`` float32 [clips, frames, 80]; ``embedding`` float32
    [dimensions], the mean of ``speaker``; ``sound`` uint8, FLAC at 16 kHz, speech at the common level.
    """

    facts: Facts
    arrays: Arrays

    def clips(self, config: Config, share: float) -> list[Clip]:
        """Cut the sound into clips as it is cut now, each with what is prepared of it and still fits.

        Raises:
            BadInputError: the sound is damaged or longer than is accepted here.

        """
        name = self.facts.name
        clips = cut_sound(name, self.arrays["sound"].tobytes(), config, share)
        known = _digest(clips) == self.facts.clips and self.facts.version == own_version()
        if not known or self._lengths() != (len(clips), *_frames(clips[0])):
            return clips
        return [Clip(clip.samples, clip.reference, self._prepared(config, i)) for i, clip in enumerate(clips)]

    def renamed(self, name: str) -> Self:
        """Return it under another name."""
        check_name(name)
        return type(self)(self.facts.model_copy(update={"name": name}), self.arrays)

    def to_bytes(self) -> bytes:
        """Serialise to a safetensors file."""
        facts = self.facts.model_dump_json()
        return safetensors.write(self.arrays, {"type": _TYPE, "wire": _WIRE, "facts": facts})

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote, whoever the file is from.

        Raises:
            BadInputError: the bytes are something else, of another wire version, or damaged.

        """
        try:
            arrays, meta = safetensors.read(blob)
            if (meta["type"], meta["wire"]) != (_TYPE, _WIRE):
                what = f"found {meta['type']} of wire version {meta['wire']}, wanted {_TYPE} of {_WIRE}"
                raise BadInputError(what)
            _check(arrays)
            return cls(Facts.model_validate_json(meta["facts"]), arrays)
        except (KeyError, ValueError, TypeError, AttributeError, ValidationError) as error:
            raise BadInputError(f"is not a saved voice ({error})", hint="vox voice export writes one") from error

    def _lengths(self) -> tuple[int, int, int]:
        """Return the numbers of clips, and of content and mel frames in each."""
        (clips, frames, _), mel = self.arrays["content"].shape, self.arrays["mel"].shape
        return clips, frames, mel[1]

    def _prepared(self, config: Config, index: int) -> dict[str, Tensor]:
        """Return what is prepared of a clip by models that are still what they were."""
        speaker, content = self.facts.speaker, self.facts.content
        found: dict[str, Tensor] = {"mel": Mel(self.arrays["mel"][index])}
        if speaker.is_still(config, "speaker"):
            seconds = float(self.arrays["speech"][index])
            found[f"speaker.{speaker.model}"] = Voice(self.arrays["speaker"][index], speaker.model, seconds)
        if content.is_still(config, "content"):
            found[f"content.{content.model}"] = Content(self.arrays["content"][index], content.model)
        return found


def cut_sound(name: str, sound: bytes, config: Config, share: float) -> list[Clip]:
    """Cut the sound of a saved voice, FLAC at 16 kHz, into clips."""
    try:
        audio = flac.unpack(sound, round(config.limits.reference * clock.RATE))
    except BadInputError as error:
        hint = f"{error.hint}; limits.reference in queues.yml is {config.limits.reference:g} s"
        raise BadInputError(error.what, where=f"voice {name}", hint=hint) from error
    return cut_clips(name, iter([audio.data]), len(audio.data), config, share)


def assemble(facts: Facts, sound: bytes, clips: Sequence[Clip], prepared: Sequence[dict[Stage, Tensor]]) -> SavedVoice:
    """Put a voice together from its sound and what the pools made of each of its clips."""
    voices = [made["speaker"] for made in prepared]
    whole = Voice.mix([v for v in voices if isinstance(v, Voice)], [clip.reference.weight for clip in clips])
    speech = [v.seconds for v in voices if isinstance(v, Voice)]
    arrays: Arrays = {
        "embedding": whole.data,
        "speaker": np.stack([voice.data for voice in voices]),
        "speech": np.asarray(speech, dtype=np.float32),
        "content": np.stack([made["content"].data for made in prepared]),
        "mel": np.stack([made["mel"].data for made in prepared]),
        "sound": np.frombuffer(sound, dtype=np.uint8),
    }
    overlapping = sum(clip.reference.seconds for clip in clips)
    known = {"clips": _digest(clips), "speech": whole.seconds * min(1.0, facts.seconds / overlapping)}
    return SavedVoice(facts.model_copy(update=known), arrays)


def check_name(name: str) -> None:
    """Refuse a name that could be taken for a file or an option.

    Raises:
        BadInputError: it is one.

    """
    if not _NAME.match(name):
        hint = "lower-case letters, digits, - and _, beginning with a letter or digit, at most 64"
        raise BadInputError(f"{name!r} cannot be the name of a voice", hint=hint)


def names() -> list[str]:
    """List saved voices."""
    found = home.voices().glob(f"*{SUFFIX}")
    return sorted(path.stem for path in found if _NAME.match(path.stem))


def path(name: str) -> Path:
    """Return the file of a saved voice.

    Raises:
        BadInputError: there is none.

    """
    if name not in names():
        known = ", ".join(names()) or "none"
        raise BadInputError(f"no saved voice {name!r}", hint=f"saved: {known}")
    return home.voices() / f"{name}{SUFFIX}"


def read(file: Path) -> SavedVoice:
    """Read a saved voice.

    Raises:
        BadInputError: the file is missing, or something else.

    """
    try:
        return SavedVoice.from_bytes(file.read_bytes())
    except OSError as error:
        raise BadInputError("cannot be read", where=str(file), hint=error.strerror or "") from error
    except BadInputError as error:
        raise BadInputError(error.what, where=str(file), hint=error.hint) from error


def save(voice: SavedVoice) -> Path:
    """Write a voice into the folder of voices, readable for this user alone.

    Raises:
        BadInputError: the name is taken.

    """
    refuse_taken(voice.facts.name)
    home.voices().mkdir(mode=0o700, parents=True, exist_ok=True)
    return write(home.voices() / f"{voice.facts.name}{SUFFIX}", voice)


def export(name: str, file: Path) -> None:
    """Write a saved voice to a file of one's own.

    Raises:
        BadInputError: there is no such voice, or the file cannot be written.

    """
    if file.suffix != SUFFIX or not file.absolute().parent.is_dir():
        raise BadInputError(f"not the name of a {SUFFIX} in a folder that exists", where=str(file))
    write(file, read(path(name)))


def refuse_taken(name: str) -> None:
    """Refuse a name that a saved voice has.

    Raises:
        BadInputError: one has it.

    """
    check_name(name)
    if name in names():
        raise BadInputError("there is a saved voice of that name", where=name,
                            hint=f"take another, or first: vox voice remove {name}")  # fmt: skip


def write(file: Path, voice: SavedVoice) -> Path:
    """Write a voice to a file, which appears when it is complete."""
    partial = beside(file, f"{os.getpid()}.partial")
    try:
        partial.touch(mode=0o600)
        with partial.open("wb") as out:
            out.write(voice.to_bytes())
            out.flush()
            os.fsync(out.fileno())
        return partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _check(arrays: Arrays) -> None:
    """Hold the arrays of a file to their ranks, types and common number of clips."""
    if set(arrays) != set(_RANKS):
        raise ValueError(f"arrays {', '.join(sorted(arrays))}")
    for name, array in arrays.items():
        whole = array.dtype == np.uint8
        if array.ndim != _RANKS[name] or whole != (name == "sound") or not (whole or np.isfinite(array).all()):
            raise ValueError(f"{name} of {array.ndim} dimensions and dtype {array.dtype}, or not finite")
    if len({len(arrays[name]) for name in ("speaker", "speech", "content", "mel")}) != 1:
        raise ValueError("unequal numbers of clips")
    if arrays["mel"].shape[2] != MEL.bands:
        raise ValueError(f"{arrays['mel'].shape[2]} mel bands")


def _frames(clip: Clip) -> tuple[int, int]:
    """Return how many content and mel frames a clip has."""
    frames = clock.content_frames(len(clip.samples))
    return frames, clock.mel_frames(frames)


def _digest(clips: Sequence[Clip]) -> str:
    """Hash the clips of a voice."""
    return hashlib.sha256(json.dumps([clip.reference.digest for clip in clips]).encode()).hexdigest()[:32]
