"""Save a voice: recordings become a name that ``--voice`` takes."""

import time
from collections.abc import Sequence

import numpy as np

from voxrelay.producer import quality, saved
from voxrelay.producer.collect import OnProgress
from voxrelay.producer.pitch import Register
from voxrelay.producer.producer import Producer
from voxrelay.producer.provenance import own_version
from voxrelay.producer.recording import Recording
from voxrelay.producer.saved import Facts, Maker, SavedVoice
from voxrelay.producer.voice import TargetVoice, at_one_level, find_recordings, notes_on, survey_all
from voxrelay.relay import clock, flac
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.tensors import Voice

CONSENT = "save a voice only if its speaker has agreed to it and to this use; vox voice remove takes it back"
_STAGES: tuple[Stage, ...] = ("speaker", "content", "mel")


def enrol(producer: Producer, name: str, files: Sequence[str], on_progress: OnProgress) -> SavedVoice:
    """Make a saved voice of files, folders and globs, joined; what may be wrong with it stands in its notes.

    Raises:
        BadInputError: the name is taken or none, or a recording cannot be used.
        UnavailableError: a pool is not to be had.

    """
    saved.refuse_taken(name)
    config = producer.config
    recordings = survey_all([path for place in files for path in find_recordings(place)], config)
    sound = _joined(recordings, config)
    clips = saved.cut_sound(name, sound, config, share=1.0)
    made = producer.prepare(TargetVoice(tuple(clips)), _STAGES, on_progress=on_progress)
    samples = flac.unpack(sound, round(config.limits.reference * clock.RATE)).data
    heard = [one for item in made if isinstance(one := item["speaker"], Voice)]
    notes = notes_on(name, recordings, config) + quality.warnings(recordings, samples, clips, heard)
    facts = Facts(
        name=name,
        added=time.strftime("%Y-%m-%d"),
        version=own_version(),
        seconds=len(samples) / clock.RATE,
        speech=0.0,
        pitch=Register.of(samples),
        speaker=Maker.of(config, "speaker"),
        content=Maker.of(config, "content"),
        clips="",
        notes=notes,
    )
    voice = saved.assemble(facts, sound, clips, made)
    saved.save(voice)
    return voice


def _joined(recordings: Sequence[Recording], config: Config) -> bytes:
    """Join recordings, up to the limit of a reference, into FLAC at 16 kHz, speech at the common level."""
    most, blocks, length = round(config.limits.reference * clock.RATE), [], 0
    for block in at_one_level(recordings):
        blocks.append(block[: most - length])
        length += len(blocks[-1])
        if length == most:
            break
    return flac.pack(np.concatenate(blocks), clock.RATE)
