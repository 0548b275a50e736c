"""The speaker stage: embed a reference; for a window, look up the voice blended from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio, Voice
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import SpeakerModel
from voxrelay.workers.runtime.stage import Unit, noise

_DIGITS = 6  # after the point: float32 knows no more of a unit vector, and every job keeps it


@dataclass(frozen=True)
class Blend:
    """Voices of reference clips and their weights."""

    voices: list[Voice]
    weights: list[float]


class SpeakerStage:
    """Sound of a reference -> Voice; voices of all references -> Voice."""

    def survey(self, unit: Unit, inputs: Inputs, model: SpeakerModel) -> None:
        """Embed the recording that a window is of, if the acoustic model asks whose voice a conversion leaves."""
        if unit.part == "window" and inputs.speaker:
            inputs.survey(inputs.speaker, lambda sounds: embed_recording(model, sounds))

    def read(self, unit: Unit, inputs: Inputs, model: SpeakerModel) -> Audio | Blend:  # noqa: ARG002
        """Fetch a reference's sound, or the voices of all references."""
        if unit.part == "reference":
            return inputs.sound()
        clips = unit.manifest.references
        names = [unit.manifest.output_key("reference", i, "speaker") for i in range(len(clips))]
        return Blend(inputs.voice(Voice, names), [clip.weight for clip in clips])

    def bucket(self, item: Audio | Blend) -> int:
        """Return the length of the sound; blends are all alike."""
        return len(item.data) if isinstance(item, Audio) else 0

    def run(self, model: SpeakerModel, part: Part, items: Sequence[Audio | Blend]) -> Sequence[Voice]:  # noqa: ARG002
        """Embed sounds, mix blends."""
        sounds = [item for item in items if isinstance(item, Audio)]
        embedded = iter(model.embed(sounds) if sounds else ())
        return [Voice.mix(item.voices, item.weights) if isinstance(item, Blend) else next(embedded) for item in items]

    def warm(self, model: SpeakerModel) -> None:
        """Embed a second of noise."""
        model.embed([noise()])


def embed_recording(model: SpeakerModel, sounds: list[Audio]) -> list[float]:
    """Embed sounds of one recording; nothing where nobody speaks."""
    try:
        [voice] = model.embed([Audio(np.concatenate([sound.data for sound in sounds]), sounds[0].rate)])
    except BadInputError:
        return []
    return [round(float(number), _DIGITS) for number in voice.data]


STAGE = SpeakerStage()
