"""The content stage: the same for a window of the source and of a reference."""

from collections.abc import Sequence
from dataclasses import dataclass

from voxrelay.relay import clock
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio, Content
from voxrelay.workers.runtime import loudness
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import ContentModel, SurveyingContentModel
from voxrelay.workers.runtime.stage import Unit, noise


@dataclass(frozen=True)
class Heard:
    """Sound, and what its recording as a whole is like, for models that ask."""

    sound: Audio
    survey: list[float]


class ContentStage:
    """Sound -> Content."""

    def read(self, unit: Unit, inputs: Inputs, model: ContentModel | SurveyingContentModel) -> Heard:
        """Fetch the sound, and survey its recording if the model wants to know it; a reference is its own."""
        sound = inputs.sound()
        if unit.part == "window" and unit.manifest.model("vocoder"):
            inputs.beside[unit.manifest.loudness_key(unit.index)] = loudness.measure(sound).to_bytes()
        if not isinstance(model, SurveyingContentModel):
            return Heard(sound, [])
        if unit.part == "reference":
            return Heard(sound, model.survey([sound]))
        return Heard(sound, inputs.survey(f"content.{unit.manifest.model('content')}", model.survey))

    def bucket(self, item: Heard) -> int:
        """Return the length of the sound."""
        return len(item.sound.data)

    def run(
        self,
        model: ContentModel | SurveyingContentModel,
        part: Part,  # noqa: ARG002
        items: Sequence[Heard],
    ) -> Sequence[Content]:
        """Encode, and hold the model to N/320 frames: everything later counts on them."""
        sounds = [item.sound for item in items]
        if isinstance(model, SurveyingContentModel):
            contents = model.encode_surveyed(sounds, [item.survey for item in items])
        else:
            contents = model.encode(sounds)
        for sound, content in zip(sounds, contents, strict=True):
            if len(content.data) != clock.content_frames(len(sound.data)):
                raise StageError(f"{content.model} gave {len(content.data)} frames for {len(sound.data)} samples")
        return contents

    def warm(self, model: ContentModel | SurveyingContentModel) -> None:
        """Encode a second of noise."""
        sound = noise()
        survey = model.survey([sound]) if isinstance(model, SurveyingContentModel) else []
        self.run(model, "window", [Heard(sound, survey)])


STAGE = ContentStage()
