"""The vocoder stage, the last of the chain."""

from collections.abc import Sequence

import numpy as np

from voxrelay.relay.job import Part
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.model import VocoderModel
from voxrelay.workers.runtime.stage import Fetch, Unit


class VocoderStage:
    """Mel -> sound."""

    def read(self, unit: Unit, fetch: Fetch) -> Mel:
        """Fetch the mel."""
        return Mel.from_bytes(fetch([unit.output_key("mel")])[0])

    def bucket(self, item: Mel) -> int:
        """Return the number of frames."""
        return len(item.data)

    def run(self, model: VocoderModel, part: Part, items: Sequence[Mel]) -> Sequence[Audio]:  # noqa: ARG002
        """Vocode."""
        return model.vocode(items)

    def warm(self, model: VocoderModel) -> None:
        """Vocode a second of near silence."""
        model.vocode([Mel(np.full((86, MEL.bands), -8.0, dtype=np.float32))])


STAGE = VocoderStage()
