"""The vocoder stage, the last of the chain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError, MissingError
from voxrelay.relay.job import Part
from voxrelay.relay.tensors import MEL, Audio, Loudness, Mel, Melody
from voxrelay.workers.runtime import loudness
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.model import ExcitedVocoderModel, VocoderModel
from voxrelay.workers.runtime.stage import Unit
from voxrelay.workers.vocoder import excitation


@dataclass(frozen=True)
class Spectrum:
    """A mel; of the sound that it was made from, if there is any, how loud it is, and itself at the asked pitch."""

    mel: Mel
    source: Loudness | None = None
    excitation: Audio | None = None


class VocoderStage:
    """Mel -> sound, as loud as its source."""

    def read(self, unit: Unit, inputs: Inputs, model: VocoderModel) -> Spectrum:
        """Fetch the mel, and what the model wants to know of the source unless the job began with a mel."""
        name, loud = unit.output_key("mel"), unit.manifest.loudness_key(unit.index)
        if unit.manifest.source is None:
            return Spectrum(inputs.tensor(Mel, name))
        try:
            mel, source = inputs.both((Mel, name), (Loudness, loud))
        except MissingError:  # if not the mel: what is there tells how loud it is as well
            mel, source = inputs.tensor(Mel, name), loudness.measure(inputs.sound())
        return Spectrum(mel, source, _lent(unit, inputs, mel) if isinstance(model, ExcitedVocoderModel) else None)

    def bucket(self, item: Spectrum) -> tuple[int, bool]:
        """Return the number of frames, and whether there is an excitation."""
        return len(item.mel.data), item.excitation is not None

    def run(self, model: VocoderModel, part: Part, items: Sequence[Spectrum]) -> Sequence[Audio]:  # noqa: ARG002
        """Vocode."""
        mels, lent = [item.mel for item in items], [item.excitation for item in items if item.excitation is not None]
        if lent and isinstance(model, ExcitedVocoderModel):
            sounds = model.vocode_excited(mels, lent)
        else:
            sounds = model.vocode(mels)
        return [
            loudness.follow(sound, item.source) if item.source else sound
            for sound, item in zip(sounds, items, strict=True)
        ]

    def warm(self, model: VocoderModel) -> None:
        """Vocode a second of near silence."""
        model.vocode([Mel(np.full((86, MEL.bands), -8.0, dtype=np.float32))])


def _lent(unit: Unit, inputs: Inputs, mel: Mel) -> Audio | None:
    """Move the source to the asked pitch; nothing asks for one if the mel's model follows no melody."""
    name = unit.manifest.melody_key(unit.index)
    melody = inputs.present(Melody, name)
    if melody is None:
        return None
    if (clock.mel_frames(len(melody.data)), *melody.data.shape[1:]) != (len(mel.data), 2):
        raise BadInputError(f"a melody of shape {melody.data.shape} for {len(mel.data)} mel frames", where=name)
    window, last = unit.manifest.windows[unit.index], len(unit.manifest.windows) - 1
    edges = ((window.keep_from, unit.index > 0), (window.keep_to, unit.index < last))
    seams = [clock.sound_samples(edge - window.start) for edge, meets in edges if meets]
    return excitation.move(inputs.sound(), melody, seams)


STAGE = VocoderStage()
