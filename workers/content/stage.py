"""The content stage: the same for a window of the source and of a reference."""

from collections.abc import Sequence

from voxrelay.relay import clock
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio, Content
from voxrelay.workers.runtime.model import ContentModel
from voxrelay.workers.runtime.stage import Fetch, Unit, noise


class ContentStage:
    """Sound -> Content."""

    def read(self, unit: Unit, fetch: Fetch) -> Audio:
        """Fetch the sound."""
        return Audio.from_bytes(fetch([unit.input_key()])[0])

    def bucket(self, item: Audio) -> int:
        """Return the length of the sound."""
        return len(item.data)

    def run(self, model: ContentModel, part: Part, items: Sequence[Audio]) -> Sequence[Content]:  # noqa: ARG002
        """Encode, and hold the model to N/320 frames: everything later counts on them."""
        contents = model.encode(items)
        for audio, content in zip(items, contents, strict=True):
            if len(content.data) != clock.content_frames(len(audio.data)):
                raise StageError(f"{content.model} gave {len(content.data)} frames for {len(audio.data)} samples")
        return contents

    def warm(self, model: ContentModel) -> None:
        """Encode a second of noise."""
        model.encode([noise()])


STAGE = ContentStage()
