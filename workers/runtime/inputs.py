"""What a stage reads of one unit, and what is global to a recording."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, TypeVar

import redis
from pydantic import Field, TypeAdapter, ValidationError

from voxrelay.relay import clock, flac, keys, safetensors, scripts
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Stores
from voxrelay.relay.errors import BadInputError, MissingError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio, Tensor
from voxrelay.workers.runtime.stage import Unit

T = TypeVar("T", bound=Tensor)
U = TypeVar("U", bound=Tensor)
_SURVEY = TypeAdapter(Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(max_length=4096)])

# Windows, evenly spread over a recording, from whose middle is measured what is global to it: seconds of them all.
SURVEYED = 8
SURVEYED_SECONDS = 16.0
_SURVEYING = threading.Lock()
# Surveys of the last jobs, by key and field: what is measured of a recording never changes.
_KNOWN: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
_MOST_KNOWN = 128


class Inputs:
    """Reads the inputs of a unit, and counts their bytes.

    ``beside``: what is to be filed with the unit's output, by key: facts of its inputs that a later stage needs too.
    """

    def __init__(self, stores: Stores, config: Config, unit: Unit) -> None:
        self.stores, self.config, self.unit = stores, config, unit
        self.bytes_read = 0
        self.beside: dict[str, bytes] = {}

    @property
    def speaker(self) -> str:
        """The survey of who speaks the recording, by the speaker stage; empty if the acoustic model does not ask."""
        manifest = self.unit.manifest
        mel = manifest.model("mel")
        asked = mel and manifest.source and self.config.model("mel", mel).options.get("leave")
        return f"speaker.{manifest.model('speaker')}" if asked else ""

    def tensor(self, kind: type[T], name: str) -> T:
        """Read a tensor of the unit by its key, as :meth:`tensors`."""
        return self.tensors(kind, [name], self._samples())[0]

    def present(self, kind: type[T], name: str) -> T | None:
        """Read a tensor of the unit by its key if it is there; as :meth:`tensors`."""
        samples = self._samples()
        blob = self._fetched({name: safetensors.longest(kind.most(samples))})[name]
        return self._parsed(kind, name, blob, samples) if blob else None

    def voice(self, kind: type[T], names: Sequence[str]) -> list[T]:
        """Read what was prepared of the clips of a voice, by keys, as :meth:`tensors`."""
        return self.tensors(kind, names, self.config.window.samples)

    def tensors(self, kind: type[T], names: Sequence[str], samples: int) -> list[T]:
        """Read tensors by their keys, each of at most so much sound at 16 kHz; no more bytes are fetched than it has.

        Raises:
            MissingError: one is gone.
            BadInputError: one is no such tensor.

        """
        blobs = self._fetched({name: safetensors.longest(kind.most(samples)) for name in names})
        return [self._parsed(kind, name, blobs[name], samples) for name in names]

    def both(self, first: tuple[type[T], str], second: tuple[type[U], str]) -> tuple[T, U]:
        """Read two tensors of the unit, each of a kind by its key, in one question to Redis; as :meth:`tensors`."""
        samples = self._samples()
        blobs = self._fetched({name: safetensors.longest(kind.most(samples)) for kind, name in (first, second)})
        return self._parsed(*first, blobs[first[1]], samples), self._parsed(*second, blobs[second[1]], samples)

    def sound(self) -> Audio:
        """Read the sound of the unit, float32 [samples] at 16 kHz, its speech at the common level.

        Raises:
            MissingError: it is gone.

        """
        return self._sounds(self.unit.part, [self.unit.index])[0]

    def references(self) -> list[Audio]:
        """Read the sound of every clip of the voice, as :meth:`sound`.

        Raises:
            MissingError: one is gone.

        """
        return self._sounds("reference", range(len(self.unit.manifest.references)))

    def survey(self, name: str, measure: Callable[[list[Audio]], list[float]]) -> list[float]:
        """Return what is global to the unit's recording, measured once by whoever needs it first."""
        if (found := self.surveyed(name)) is not None:
            return found
        record, field = self._survey_of(name)
        with _SURVEYING:  # the second window waits, it does not measure the same once more
            if not self.stores.jobs.hexists(record, field):
                sounds = self._sounds("window", spread(len(self.unit.manifest.windows)))
                self.stores.jobs.hsetnx(record, field, json.dumps(measure(middles(sounds))))
        return _survey(self.stores.jobs.hget(record, field), record)

    def surveyed(self, name: str) -> list[float] | None:
        """Return what was measured of the unit's recording as a whole, if it was; a process asks Redis for it once."""
        where = record, field = self._survey_of(name)
        if where not in _KNOWN and (raw := self.stores.jobs.hget(record, field)) is not None:
            _KNOWN[where] = _survey(raw, record)
            if len(_KNOWN) > _MOST_KNOWN:
                _KNOWN.popitem(last=False)
        return _KNOWN.get(where)

    def _survey_of(self, name: str) -> tuple[str, str]:
        """Return the key and field of a survey."""
        return keys.job(self.unit.manifest.id), f"survey:{name}"

    def _fetched(self, longest: dict[str, int]) -> dict[str, bytes]:
        """Fetch keys, of each no more bytes than it may have."""
        with _expecting(list(longest)):
            pipe = self.stores.tensors.pipeline(transaction=False)
            for name, most in longest.items():
                pipe.getrange(name, 0, most)
            blobs = pipe.execute()
        return dict(zip(longest, self._counted(blobs), strict=True))

    def _parsed(self, kind: type[T], name: str, blob: bytes, samples: int) -> T:
        if not blob:
            raise MissingError(f"{name} is not in Redis", where=str(self.unit), hint="it is made again")
        try:
            return kind.from_bytes(blob, samples)
        except BadInputError as error:
            raise BadInputError(error.what, where=name) from error

    def _sounds(self, part: Part, indexes: Sequence[int]) -> list[Audio]:
        manifest, whole = self.unit.manifest, part == "window"
        store = keys.sources(manifest.id) if whole else keys.sounds(manifest.voice_id)
        fields = [str(index) for index in indexes]
        longest = flac.longest(self.config.window.samples)
        script = self.stores.jobs.register_script(scripts.SHORT)
        with _expecting([store]):
            blobs = script(keys=[store], args=[longest, *fields])
        if isinstance(blobs, int):
            raise BadInputError(f"sound of {blobs} bytes", where=store, hint=f"a window has at most {longest}")
        if None in blobs:
            raise MissingError(f"its sound is not in Redis ({store})", where=str(self.unit), hint="was Redis emptied?")
        gain = manifest.source.gain if whole and manifest.source else 1.0
        sounds = [flac.unpack(blob, self.config.window.samples) for blob in self._counted(blobs)]
        return [Audio(sound.data * gain, rate=clock.RATE) for sound in sounds]

    def _samples(self) -> int:
        """Return of how much sound at 16 kHz the unit is; without its recording, content may be as long as any."""
        manifest, most = self.unit.manifest, round(self.config.limits.source * clock.RATE)
        if self.unit.part == "reference" or manifest.source:
            return self.config.window.samples
        return min(manifest.windows[self.unit.index].length or most, most)

    def _counted(self, blobs: Sequence[bytes | None]) -> list[bytes]:
        found = [blob for blob in blobs if blob is not None]
        self.bytes_read += sum(map(len, found))
        return found


@contextmanager
def _expecting(names: Sequence[str]) -> Iterator[None]:
    """Explain that under one of these keys lies something of another kind, which no waiting mends."""
    try:
        yield
    except redis.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        raise BadInputError("not of the kind that belongs there", where=", ".join(names)) from error


def spread(count: int) -> list[int]:
    """Choose the windows of ``count`` from which is measured what is global to their recording."""
    few = min(SURVEYED, count)
    return sorted({i * (count - 1) // max(few - 1, 1) for i in range(few)})


def middles(sounds: Sequence[Audio]) -> list[Audio]:
    """Cut windows to their middles, which together are not longer than what is measured of a recording."""
    most = round(SURVEYED_SECONDS * clock.RATE) // max(len(sounds), 1)
    starts = [max(len(sound.data) - most, 0) // 2 for sound in sounds]
    return [Audio(sound.data[start : start + most], sound.rate) for start, sound in zip(starts, sounds, strict=True)]


def _survey(raw: bytes, where: str) -> list[float]:
    """Read what was measured of a recording."""
    try:
        return _SURVEY.validate_json(raw)
    except ValidationError as error:
        raise BadInputError("a survey that is not a few numbers", where=where) from error
