"""The vocoder stage, the last of the chain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxrelay.relay.job import Part
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import VocoderModel
from voxrelay.workers.runtime.stage import Unit
from voxrelay.workers.vocoder.loudness import follow


@dataclass(frozen=True)
class Spectrum:
    """A mel, and the sound it was made from, if there is any."""

    mel: Mel
    source: Audio | None


class VocoderStage:
    """Mel -> sound, as loud as its source."""

    def read(self, unit: Unit, inputs: Inputs, model: VocoderModel) -> Spectrum:  # noqa: ARG002
        """Fetch the mel, and the sound of the window unless the job began with a mel."""
        mel = inputs.tensor(Mel, unit.output_key("mel"))
        return Spectrum(mel, inputs.sound() if unit.manifest.source else None)

    def bucket(self, item: Spectrum) -> int:
        """Return the number of frames."""
        return len(item.mel.data)

    def run(self, model: VocoderModel, part: Part, items: Sequence[Spectrum]) -> Sequence[Audio]:  # noqa: ARG002
        """Vocode."""
        sounds = model.vocode([item.mel for item in items])
        return [follow(sound, item.source) if item.source else sound for sound, item in zip(sounds, items, strict=True)]

    def warm(self, model: VocoderModel) -> None:
        """Vocode a second of near silence."""
        model.vocode([Mel(np.full((86, MEL.bands), -8.0, dtype=np.float32))])


STAGE = VocoderStage()
