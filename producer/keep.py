"""Keep what passed between the stages: one folder a window or reference, one safetensors file a tensor."""

from pathlib import Path

from voxrelay.producer.run import Run
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Part


class Keeper:
    """Writes tensors of a run to a folder, where ``vox stage`` and any safetensors reader find them."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInputError("exists and is not an empty folder", where=str(folder), hint="name a new one")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def window(self, run: Run, index: int) -> None:
        """Write sound in, voice, content, mel and sound out of a window; before the first, of all references."""
        if index == 0:
            for number in range(len(run.manifest.references)):
                self._write(run, "reference", number)
        self._write(run, "window", index)

    def _write(self, run: Run, part: Part, index: int) -> None:
        manifest = run.manifest
        folder = self.folder / f"{part}-{index:04}"
        folder.mkdir()
        names = {"source": manifest.input_key(part, index)}
        for link in manifest.links(part):
            names[link.stage] = manifest.output_key(part, index, link.stage)
        for name, key in names.items():
            (folder / f"{name}.safetensors").write_bytes(run.get(key))
