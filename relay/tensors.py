"""The values that cross a stage, and their bytes.

Each type is one tensor and a few facts about it, written as a safetensors file whose metadata holds
the facts. Bytes are read without a copy, after the header was checked against the type.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock, safetensors
from voxrelay.relay.errors import BadInputError

WIRE_VERSION = "1"
_LARGEST = 1e9  # no rate and no number of seconds is
_INFINITE, _NEGATIVE = 0x7C00, 0x8000  # of a float16: its exponent all set, which is infinite or no number; its sign
_WIDEST = 4096  # values of an embedding or a frame
_DTYPES = (np.dtype(np.float32), np.dtype(np.float16))

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class MelSpec:
    """What a mel spectrogram means; a vocoder refuses any but its own.

    The default is the published HiFi-GAN definition (https://github.com/jik876/hifi-gan):
    magnitudes sqrt(re^2 + im^2 + 1e-9) of frames without centring, 384 samples of reflection at
    each end, Slaney mel bands, ln(max(x, 1e-5)). Rates and band edges in Hz, the rest in samples.
    """

    rate: int = clock.SOUND_RATE
    fft: int = 1024
    hop: int = clock.MEL_HOP
    window: int = 1024
    bands: int = 80
    low: int = 0
    high: int = 8000

    @property
    def fingerprint(self) -> str:
        """Name this definition in one word, readable in an error message."""
        return f"{self.rate}Hz-fft{self.fft}-hop{self.hop}-win{self.window}-{self.bands}x{self.low}-{self.high}Hz"


MEL = MelSpec()


@dataclass(frozen=True, eq=False)
class Tensor:
    """One named tensor; subclasses add their facts as fields after ``data``."""

    data: Floats
    NDIM: ClassVar[int]

    def __post_init__(self) -> None:
        """Refuse a tensor whose rank or dtype its type does not have."""
        if self.data.ndim != self.NDIM or self.data.dtype not in _DTYPES:
            what = f"{type(self).__name__} of {self.data.ndim} dimensions and dtype {self.data.dtype}"
            raise BadInputError(what, hint=f"expected {self.NDIM} dimensions of float32 or float16")

    def to_bytes(self) -> bytes:
        """Serialise to a safetensors file."""
        facts = {name: getattr(self, name) for name, _ in _wanted(type(self))}
        meta = {"type": type(self).__name__, "wire": WIRE_VERSION, "facts": json.dumps(facts)}
        return safetensors.write({"data": self.data}, meta)

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:
        """Return the largest shape that sound of so many samples at 16 kHz may have as this type."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, blob: bytes | memoryview, samples: int | None = None) -> Self:
        """Read what :meth:`to_bytes` wrote, without a copy (the array is read-only).

        Args:
            blob: the file.
            samples: of how much sound at 16 kHz it may be at most, if that is known.

        Raises:
            BadInputError: the bytes are not this type, of this wire version, are damaged, hold more than they
                may or what is no number.

        """
        try:
            arrays, meta = safetensors.read(blob, None if samples is None else cls.most(samples))
            if (meta["type"], meta["wire"]) != (cls.__name__, WIRE_VERSION):
                what = f"found {meta['type']} of wire version {meta['wire']}, wanted {cls.__name__} of {WIRE_VERSION}"
                raise BadInputError(what)
            found = cls(_only(arrays), **_facts(_wanted(cls), meta["facts"]))
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadInputError(f"bytes that are not a {cls.__name__} tensor ({error!s:.200})") from error
        if not _finite(found.data):
            raise BadInputError(f"{cls.__name__} that holds what is no finite number")
        return found


def _only(arrays: safetensors.Arrays) -> Floats:
    """Return the one array that a tensor has."""
    if list(arrays) != ["data"]:
        raise ValueError(f"arrays {list(arrays)!r:.80}")
    return arrays["data"]


def _finite(data: Floats) -> bool:
    """Whether all are numbers; of float16 by its bits, which NumPy need not convert."""
    if data.dtype == np.float16:
        positive, all_of_them = data.view(np.int16), data.view(np.uint16)
        return bool(positive.max(initial=0) < _INFINITE and all_of_them.max(initial=0) < _NEGATIVE + _INFINITE)
    return bool(np.isfinite(data).all())


def _wanted(kind: type[Tensor]) -> tuple[tuple[str, Any], ...]:
    """Return the facts of a type, and the type of each."""
    return tuple((field.name, field.type) for field in fields(kind) if field.name != "data")


@lru_cache(safetensors.KEPT)  # they repeat as headers do
def _facts(of: tuple[tuple[str, Any], ...], text: str) -> Mapping[str, Any]:
    """Read facts, and check that they are those that are wanted, each of its own type."""
    found, wanted = json.loads(text), dict(of)
    if not isinstance(found, dict) or set(found) != set(wanted):
        raise ValueError(f"facts that are not {', '.join(wanted) or 'none'}")
    for name, value in found.items():
        number = wanted[name] is float and type(value) is int
        if type(value) is not wanted[name] and not number:
            raise ValueError(f"{name} is {type(value).__name__}")
        if isinstance(value, float | int) and not 0 <= value < _LARGEST:
            raise ValueError(f"{name} is {value}")
    return found


@dataclass(frozen=True, eq=False)
class Audio(Tensor):
    """Mono sound, float32 [samples] in -1..1, at ``rate`` Hz."""

    NDIM: ClassVar[int] = 1
    rate: int

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:
        """Return ``samples``."""
        return (samples,)

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.data) / self.rate


@dataclass(frozen=True, eq=False)
class Voice(Tensor):
    """A speaker embedding, float32 [dimensions], unit norm.

    ``model`` made it; ``seconds`` of speech stand behind it and weigh it when several are blended.
    """

    NDIM: ClassVar[int] = 1
    model: str
    seconds: float

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:  # noqa: ARG003 - it is as wide as its model makes it
        """Return the widest embedding."""
        return (_WIDEST,)

    @classmethod
    def mix(cls, voices: Sequence[Self], weights: Sequence[float]) -> Self:
        """Return the weighted mean on the unit sphere, as Resemblyzer does for several utterances."""
        mean = sum(weight * voice.data for voice, weight in zip(voices, weights, strict=True))
        unit = np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
        return cls(unit, model=voices[0].model, seconds=sum(voice.seconds for voice in voices))


@dataclass(frozen=True, eq=False)
class Content(Tensor):
    """What was said, float16 or float32 [frames, features] at 50 frames/s; ``model`` made it."""

    NDIM: ClassVar[int] = 2
    model: str

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:
        """Return the frames of so much sound, and the widest of them."""
        return (clock.content_frames(samples), _WIDEST)


@dataclass(frozen=True, eq=False)
class Mel(Tensor):
    """A log-mel spectrogram, float16 or float32 [frames, bands], as :data:`MEL` unless ``spec`` differs."""

    NDIM: ClassVar[int] = 2
    spec: str = MEL.fingerprint

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:
        """Return the frames of so much sound, and their bands."""
        return (clock.mel_frames(clock.content_frames(samples)), MEL.bands)


@dataclass(frozen=True, eq=False)
class Loudness(Tensor):
    """The envelope of a recording: smooth power, float32 [frames] at 50 frames/s."""

    NDIM: ClassVar[int] = 1

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:
        """Return the frames of so much sound."""
        return (clock.content_frames(samples),)


@dataclass(frozen=True, eq=False)
class Melody(Tensor):
    """Pitch of a recording and where it goes, float32 [frames, 2] in Hz at 50 frames/s.

    The first column is 0 where there is no voice, the second, what is asked for, goes on in straight lines there.
    """

    NDIM: ClassVar[int] = 2

    @classmethod
    def most(cls, samples: int) -> tuple[int, ...]:
        """Return the frames of so much sound."""
        return (clock.content_frames(samples), 2)


BY_NAME: dict[str, type[Tensor]] = {kind.__name__.lower(): kind for kind in (Audio, Voice, Content, Mel)}


def read_any(blob: bytes) -> Tensor:
    """Read a tensor of whichever type its header names."""
    try:
        name = str(safetensors.read_header(memoryview(blob))["__metadata__"]["type"]).lower()
        kind = BY_NAME[name]
    except (KeyError, ValueError, TypeError) as error:
        raise BadInputError("not a voxrelay tensor file", hint=f"expected one of {', '.join(BY_NAME)}") from error
    return kind.from_bytes(blob)
