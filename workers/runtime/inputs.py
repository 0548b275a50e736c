"""What a stage reads of one unit, and what is global to a recording."""

import json
from collections.abc import Callable, Sequence

from voxrelay.relay import clock, flac, keys
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Stores
from voxrelay.relay.errors import MissingError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio
from voxrelay.workers.runtime.stage import Unit

# Windows, evenly spread over a recording, from which is measured what is global to it.
SURVEYED = 8


class Inputs:
    """Reads the inputs of a unit, and counts their bytes."""

    def __init__(self, stores: Stores, config: Config, unit: Unit) -> None:
        self.stores, self.config, self.unit = stores, config, unit
        self.bytes_read = 0

    def tensors(self, names: Sequence[str]) -> list[bytes]:
        """Read tensors by their keys.

        Raises:
            MissingError: one is gone.

        """
        blobs: list[bytes | None] = self.stores.tensors.mget(names)
        if missing := [name for name, blob in zip(names, blobs, strict=True) if blob is None]:
            raise MissingError(f"{missing[0]} is not in Redis", where=str(self.unit), hint="it is made again")
        return self._counted(blobs)

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
        manifest, field = self.unit.manifest, f"survey:{name}"
        record = keys.job(manifest.id)
        found = self.stores.jobs.hget(record, field)
        if found is None:
            surveyed = spread(len(manifest.windows))
            self.stores.jobs.hsetnx(record, field, json.dumps(measure(self._sounds("window", surveyed))))
            found = self.stores.jobs.hget(record, field)
        values: list[float] = json.loads(found)
        return values

    def _sounds(self, part: Part, indexes: Sequence[int]) -> list[Audio]:
        manifest, whole = self.unit.manifest, part == "window"
        store = keys.sources(manifest.id) if whole else keys.sounds(manifest.voice_id)
        blobs: list[bytes | None] = self.stores.jobs.hmget(store, [str(index) for index in indexes])
        if None in blobs:
            raise MissingError(f"its sound is not in Redis ({store})", where=str(self.unit), hint="was Redis emptied?")
        gain = manifest.source.gain if whole and manifest.source else 1.0
        sounds = [flac.unpack(blob, self.config.window.samples) for blob in self._counted(blobs)]
        return [Audio(sound.data * gain, rate=clock.RATE) for sound in sounds]

    def _counted(self, blobs: Sequence[bytes | None]) -> list[bytes]:
        found = [blob for blob in blobs if blob is not None]
        self.bytes_read += sum(map(len, found))
        return found


def spread(count: int) -> list[int]:
    """Choose the windows of ``count`` from which is measured what is global to their recording."""
    few = min(SURVEYED, count)
    return sorted({i * (count - 1) // max(few - 1, 1) for i in range(few)})
