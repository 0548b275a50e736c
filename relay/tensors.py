"""The values that cross a stage, and their bytes.

Each type is one tensor and a few facts about it, written as a safetensors file whose metadata holds
the facts. Bytes are read without a copy, after the header was checked against the type.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock, safetensors
from voxrelay.relay.errors import BadInputError

WIRE_VERSION = "1"
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
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "data"}
        meta = {"type": type(self).__name__, "wire": WIRE_VERSION, "facts": json.dumps(facts)}
        return safetensors.write({"data": self.data}, meta)

    @classmethod
    def from_bytes(cls, blob: bytes | memoryview) -> Self:
        """Read what :meth:`to_bytes` wrote, without a copy (the array is read-only).

        Raises:
            BadInputError: the bytes are not this type, of this wire version, or are damaged.

        """
        try:
            arrays, meta = safetensors.read(blob)
            if (meta["type"], meta["wire"]) != (cls.__name__, WIRE_VERSION):
                what = f"found {meta['type']} of wire version {meta['wire']}, wanted {cls.__name__} of {WIRE_VERSION}"
                raise BadInputError(what)
            return cls(arrays["data"], **json.loads(meta["facts"]))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise BadInputError(f"bytes that are not a {cls.__name__} tensor ({error})") from error


@dataclass(frozen=True, eq=False)
class Audio(Tensor):
    """Mono sound, float32 [samples] in -1..1, at ``rate`` Hz."""

    NDIM: ClassVar[int] = 1
    rate: int

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
    def mix(cls, voices: Sequence[Self], weights: Sequence[float]) -> Self:
        """Return the weighted mean on the unit sphere, as Resemblyzer does for several utterances."""
        mean = sum(weight * voice.data for voice, weight in zip(voices, weights, strict=True))
        unit = np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
        return cls(unit, model=voices[0].model, seconds=sum(voice.seconds for voice in voices))


@dataclass(frozen=True, eq=False)
class Content(Tensor):
    """What was said, float [frames, features] at 50 frames/s; ``model`` made it."""

    NDIM: ClassVar[int] = 2
    model: str


@dataclass(frozen=True, eq=False)
class Mel(Tensor):
    """A log-mel spectrogram, float32 [frames, bands], as :data:`MEL` unless ``spec`` differs."""

    NDIM: ClassVar[int] = 2
    spec: str = MEL.fingerprint


BY_NAME: dict[str, type[Tensor]] = {kind.__name__.lower(): kind for kind in (Audio, Voice, Content, Mel)}


def read_any(blob: bytes) -> Tensor:
    """Read a tensor of whichever type its header names."""
    try:
        name = str(safetensors.read_header(memoryview(blob))["__metadata__"]["type"]).lower()
        kind = BY_NAME[name]
    except (KeyError, ValueError, TypeError) as error:
        raise BadInputError("not a voxrelay tensor file", hint=f"expected one of {', '.join(BY_NAME)}") from error
    return kind.from_bytes(blob)
