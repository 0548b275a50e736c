"""The vocoder stage, the last of the chain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxrelay.relay.errors import MissingError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import MEL, Audio, Loudness, Mel
from voxrelay.workers.runtime import loudness
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import VocoderModel
from voxrelay.workers.runtime.stage import Unit


@dataclass(frozen=True)
class Spectrum:
    """A mel, and how loud the sound is that it was made from, if there is any."""

    mel: Mel
    source: Loudness | None


class VocoderStage:
    """Mel -> sound, as loud as its source."""

    def read(self, unit: Unit, inputs: Inputs, model: VocoderModel) -> Spectrum:  # noqa: ARG002
        """Fetch the mel, and how loud the window is unless the job began with a mel."""
        name, loud = unit.output_key("mel"), unit.manifest.loudness_key(unit.index)
        if unit.manifest.source is None:
            return Spectrum(inputs.tensor(Mel, name), None)
        try:
            return Spectrum(*inputs.both((Mel, name), (Loudness, loud)))
        except MissingError:  # if not the mel: what is there tells how loud it is as well
            return Spectrum(inputs.tensor(Mel, name), loudness.measure(inputs.sound()))

    def bucket(self, item: Spectrum) -> int:
        """Return the number of frames."""
        return len(item.mel.data)

    def run(self, model: VocoderModel, part: Part, items: Sequence[Spectrum]) -> Sequence[Audio]:  # noqa: ARG002
        """Vocode."""
        sounds = model.vocode([item.mel for item in items])
        return [
            loudness.follow(sound, item.source) if item.source else sound
            for sound, item in zip(sounds, items, strict=True)
        ]

    def warm(self, model: VocoderModel) -> None:
        """Vocode a second of near silence."""
        model.vocode([Mel(np.full((86, MEL.bands), -8.0, dtype=np.float32))])


STAGE = VocoderStage()
