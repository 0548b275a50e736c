"""The mel stage: analyse a reference; for a window, say its content in the target's voice."""

from collections.abc import Sequence
from dataclasses import dataclass

from voxrelay.relay import clock
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio, Content, Mel, Voice
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import Clip, MelModel, Target
from voxrelay.workers.runtime.stage import Unit, noise


@dataclass(frozen=True)
class Utterance:
    """What is to be said, and in whose voice."""

    content: Content
    target: Target


class MelStage:
    """Sound of a reference -> Mel; Content and Target -> Mel."""

    def read(self, unit: Unit, inputs: Inputs, model: MelModel) -> Audio | Utterance:  # noqa: ARG002
        """Fetch a reference's sound, or a window's content and voice."""
        if unit.part == "reference":
            return inputs.sound()
        content, voice = inputs.tensors([unit.output_key("content"), unit.output_key("speaker")])
        target = Target(
            id=f"{unit.manifest.voice_id}:{unit.manifest.model('content')}",
            voice=Voice.from_bytes(voice),
            clips=lambda: _clips(unit, inputs),
        )
        return Utterance(Content.from_bytes(content), target)

    def bucket(self, item: Audio | Utterance) -> tuple[int, ...]:
        """Return the shape of the sound or content."""
        return (item if isinstance(item, Audio) else item.content).data.shape

    def run(self, model: MelModel, part: Part, items: Sequence[Audio | Utterance]) -> Sequence[Mel]:  # noqa: ARG002
        """Analyse sounds, convert utterances."""
        utterances = [item for item in items if isinstance(item, Utterance)]
        converted = iter(_convert(model, utterances))
        return [log_mel(item) if isinstance(item, Audio) else next(converted) for item in items]

    def warm(self, model: MelModel) -> None:  # noqa: ARG002 - the shape of its content is not known here
        """Analyse a second of noise."""
        log_mel(noise())


def _convert(model: MelModel, items: Sequence[Utterance]) -> list[Mel]:
    mels = model.convert([item.content for item in items], [item.target for item in items]) if items else []
    for mel, item in zip(mels, items, strict=True):
        wanted = clock.mel_frames(len(item.content.data))
        if len(mel.data) != wanted:
            raise StageError(f"{len(mel.data)} mel frames for {len(item.content.data)} of content, wanted {wanted}")
    return mels


def _clips(unit: Unit, inputs: Inputs) -> list[Clip]:
    """Fetch the content and mel of every reference clip."""
    manifest, count = unit.manifest, range(len(unit.manifest.references))
    contents = inputs.tensors([manifest.output_key("reference", i, "content") for i in count])
    mels = inputs.tensors([manifest.output_key("reference", i, "mel") for i in count])
    weights = [clip.weight for clip in manifest.references]
    return [
        Clip(Content.from_bytes(content), Mel.from_bytes(mel), weight)
        for content, mel, weight in zip(contents, mels, weights, strict=True)
    ]


STAGE = MelStage()
