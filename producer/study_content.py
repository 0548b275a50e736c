"""A study of a content model: frames of recordings, and beside them the mel frames of the same moments."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from voxrelay.producer.hearing import Heard, OnCount, hear
from voxrelay.producer.producer import Producer
from voxrelay.producer.study import new_folder, row, run, usable
from voxrelay.producer.voice import survey_all
from voxrelay.relay import clock, corpus, safetensors
from voxrelay.relay.config import Config
from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Floats

# 6 s must give twice what 3 s give.
_CUTS = (3, 6)


def study_content(
    producer: Producer, places: Iterable[Path], folder: Path, *, model: str = "", on_count: OnCount
) -> dict[str, Any]:
    """Encode recordings and find out whether the frames keep time, tell sentences apart, and hide the speaker.

    Args:
        producer: whose pools encode.
        places: recordings, or folders or tables of them; the folder of one is its speaker, its name the
            sentence, so that equal names in two folders are one sentence by two speakers.
        folder: new or empty; pictures, frames and a page are written to it.
        model: content model, if not the one of ``queues.yml``.
        on_count: is told how many recordings are done.

    Returns:
        The figures: lengths, the share of comparisons that sentences win, how well speakers are named.

    Raises:
        BadInputError: nothing can be used, or the folder is not empty.

    """
    new_folder(folder)
    found = [recording for place in places for recording in corpus.read(place)]
    heard = usable(hear(producer, found, ["mel"], lambda _done, _total: None), producer.note)
    heard = [item for item in heard if _whole(item, producer)]
    if not heard:
        raise BadInputError("none of the recordings can be used")
    encoded = []
    for done, item in enumerate(heard, 1):
        encoded.append((item, producer.encode(item.utterance.path, model=model)))
        on_count(done, len(heard))
    arrays = {
        "content": np.concatenate([content.data for _, content in encoded]),
        "mel": np.concatenate([_mel_of_frames(item, len(content.data), producer.config) for item, content in encoded]),
    }
    (folder / "frames.safetensors").write_bytes(safetensors.write(arrays, {}))
    given = {
        "model": encoded[0][1].model,
        "rows": [_row(item, len(content.data)) for item, content in encoded],
        "cuts": _cut_lengths(producer, [item.utterance for item in heard], model),
    }
    return run(producer, "content", folder, given)


def _row(item: Heard, frames: int) -> dict[str, Any]:
    return {**row(item.utterance), "sentence": item.utterance.path.stem, "samples": item.length, "frames": frames}


def _whole(item: Heard, producer: Producer) -> bool:
    """Whether no silent window of a recording was dropped: where the others lie is not known then."""
    if len(item.made) == len(_windows(item, producer.config)):
        return True
    producer.note(f"left out: {item.utterance.path}: a window of it is silent")
    return False


def _windows(item: Heard, config: Config) -> list[clock.Window]:
    return clock.plan_windows(item.length, config.window.samples, 0)


def _mel_of_frames(item: Heard, frames: int, config: Config) -> Floats:
    """Return the mel frame nearest in time to the centre of each content frame, float32 [frames, 80]."""
    centres = (np.arange(frames) + 0.5) * clock.CONTENT_HOP
    found = np.zeros((frames, item.made[0]["mel"].data.shape[1]), dtype=np.float32)
    for window, made in zip(_windows(item, config), item.made, strict=True):
        mel = made["mel"].data
        inside = (centres >= window.start) & (centres < window.start + window.length)
        places = (centres[inside] - window.start) / clock.RATE * clock.SOUND_RATE / clock.MEL_HOP - 0.5
        found[inside] = mel[np.clip(places.round().astype(int), 0, len(mel) - 1)]
    return found


def _cut_lengths(producer: Producer, utterances: Sequence[Utterance], model: str) -> dict[str, int]:
    """Count the frames of the first 3 s and 6 s of the recordings, joined; less if there is less sound."""
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for seconds in _CUTS:
            sound = _first([utterance.path for utterance in utterances], seconds * clock.RATE, producer.config)
            if len(sound) == seconds * clock.RATE:
                path = Path(scratch) / f"{seconds}.wav"
                soundfile.write(path, sound, clock.RATE, "FLOAT")
                found[str(seconds)] = len(producer.encode(path, model=model).data)
    return found


def _first(paths: Sequence[Path], length: int, config: Config) -> Floats:
    """Return the first samples of recordings, joined, float32 at 16 kHz."""
    held, count = [np.zeros(0, dtype=np.float32)], 0
    for path in paths:
        if count >= length:
            break
        [recording] = survey_all([path], config)
        held += recording.blocks()
        count += recording.length
    sound: Floats = np.concatenate(held)[:length]
    return sound
