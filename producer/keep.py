"""Keep what passed between the stages: one folder a window or reference, one safetensors file a tensor."""

from pathlib import Path

from voxrelay.producer.session import Session
from voxrelay.relay import clock, flac, keys
from voxrelay.relay.errors import BadInputError, StageError
from voxrelay.relay.job import Manifest, Part
from voxrelay.relay.tensors import Audio


class Keeper:
    """Writes tensors of a job to a folder, where ``vox stage`` and any safetensors reader find them."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInputError("exists and is not an empty folder", where=str(folder), hint="name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def window(self, session: Session, manifest: Manifest, index: int) -> None:
        """Write sound in, voice, content, mel and sound out of a window; before the first, of all references."""
        if index == 0:
            for number in range(len(manifest.references)):
                self._write(session, manifest, "reference", number)
        self._write(session, manifest, "window", index)

    def _write(self, session: Session, manifest: Manifest, part: Part, index: int) -> None:
        folder = self.folder / f"{part}-{index:04}"
        folder.mkdir()
        jobs, tensors = session.stores.jobs, session.stores.tensors
        sounds = keys.sources(manifest.id) if part == "window" else keys.sounds(manifest.voice_id)
        gain = manifest.source.gain if part == "window" and manifest.source else 1.0
        found = {"source": _sound(jobs.hget(sounds, str(index)), gain)}
        for link in manifest.links(part):
            if link.stage == "vocoder":
                found[link.stage] = _sound(session.ledger.result(manifest.id, index))
            else:
                found[link.stage] = tensors.get(manifest.output_key(part, index, link.stage))
        for name, blob in found.items():
            if blob is None:
                raise StageError(f"{name} of {part} {index} is not in Redis any more", where=manifest.id)
            (folder / f"{name}.safetensors").write_bytes(blob)


def _sound(blob: bytes | None, gain: float = 1.0) -> bytes | None:
    if not blob:
        return None
    sound = flac.unpack(blob, clock.SOUND_RATE * 3600)
    return Audio(sound.data * gain, rate=sound.rate).to_bytes()
