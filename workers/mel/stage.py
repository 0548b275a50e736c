"""The mel stage: analyse a reference; for a window, say its content in the target's voice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError, StageError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import Audio, Content, Floats, Mel, Melody, Voice
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import Clip, FollowingMelModel, MelModel, Target
from voxrelay.workers.runtime.stage import Unit, noise

AnyMelModel = MelModel | FollowingMelModel


@dataclass(frozen=True)
class Utterance:
    """What is to be said, and in whose voice; for models that follow the source, how."""

    content: Content
    target: Target
    sound: Audio | None = None
    survey: tuple[float, ...] = ()
    melody: Melody | None = None


class MelStage:
    """Sound of a reference -> Mel; Content and Target -> Mel."""

    def read(self, unit: Unit, inputs: Inputs, model: AnyMelModel) -> Audio | Utterance:
        """Fetch a reference's sound, or a window's content and voice, and its sound if the model follows it."""
        if unit.part == "reference":
            return inputs.sound()
        content, voice = inputs.both((Content, unit.output_key("content")), (Voice, unit.output_key("speaker")))
        target = Target(
            id=f"{unit.manifest.voice_id}:{unit.manifest.model('content')}",
            voice=voice,
            clips=lambda: _clips(unit, inputs),
            sounds=inputs.references,
            transpose=unit.manifest.transpose,
        )
        if not isinstance(model, FollowingMelModel):
            if target.transpose is not None:
                raise BadInputError(
                    "this model follows no melody that could be transposed", hint="leave --transpose out"
                )
            return Utterance(content, target)
        if unit.manifest.source is None:
            raise BadInputError(
                "content without the recording it is of", hint="this model follows its melody: vox convert"
            )
        if inputs.speaker and (left := inputs.surveyed(inputs.speaker)):
            target = replace(target, left=_left(voice, left, unit.manifest.similarity))
        survey, sound = inputs.survey(f"mel.{unit.manifest.model('mel')}", model.survey), inputs.sound()
        melody = model.melody(sound, survey, target)
        inputs.beside[unit.manifest.melody_key(unit.index)] = melody.to_bytes()
        return Utterance(content, target, sound, tuple(survey), melody)

    def bucket(self, item: Audio | Utterance) -> tuple[int, ...]:
        """Return the shape of the sound or content."""
        return (item if isinstance(item, Audio) else item.content).data.shape

    def run(self, model: AnyMelModel, part: Part, items: Sequence[Audio | Utterance]) -> Sequence[Mel]:  # noqa: ARG002
        """Analyse sounds, convert utterances."""
        utterances = [item for item in items if isinstance(item, Utterance)]
        converted = iter(_convert(model, utterances))
        return [log_mel(item) if isinstance(item, Audio) else next(converted) for item in items]

    def warm(self, model: AnyMelModel) -> None:  # noqa: ARG002 - the shape of its content is not known here
        """Analyse a second of noise."""
        log_mel(noise())


def _convert(model: AnyMelModel, items: Sequence[Utterance]) -> list[Mel]:
    if not items:
        return []
    contents, targets = [item.content for item in items], [item.target for item in items]
    if isinstance(model, FollowingMelModel):
        sounds = [item.sound for item in items if item.sound is not None]
        melodies = [item.melody for item in items if item.melody is not None]
        mels = model.follow(contents, targets, sounds, [list(item.survey) for item in items], melodies)
    else:
        mels = model.convert(contents, targets)
    for mel, item in zip(mels, items, strict=True):
        wanted = clock.mel_frames(len(item.content.data))
        if len(mel.data) != wanted:
            raise StageError(f"{len(mel.data)} mel frames for {len(item.content.data)} of content, wanted {wanted}")
    return mels


def _left(voice: Voice, source: list[float], similarity: float) -> Floats:
    """Say whose voice is left, float32 [dimensions]: whoever goes a part of the way leaves but a part of the source."""
    left: Floats = np.array(source, dtype=np.float32)
    if left.shape != voice.data.shape:
        return left  # the model refuses it
    partly: Floats = voice.data + np.float32(similarity) * (left - voice.data)
    return partly


def _clips(unit: Unit, inputs: Inputs) -> list[Clip]:
    """Fetch the content and mel of every reference clip."""
    manifest, count = unit.manifest, range(len(unit.manifest.references))
    contents = inputs.voice(Content, [manifest.output_key("reference", i, "content") for i in count])
    mels = inputs.voice(Mel, [manifest.output_key("reference", i, "mel") for i in count])
    weights = [clip.weight for clip in manifest.references]
    return [Clip(*clip) for clip in zip(contents, mels, weights, strict=True)]


STAGE = MelStage()
