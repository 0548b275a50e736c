"""Which recordings are trained on: what is marked ``train``, and nothing else."""

from collections.abc import Iterable
from pathlib import Path

from voxrelay.relay import corpus
from voxrelay.relay.corpus import TRAIN, Utterance
from voxrelay.relay.errors import BadInputError


def read(data: Path) -> list[Utterance]:
    """List the training recordings of a table or a folder, see :func:`voxrelay.relay.corpus.read`.

    Raises:
        BadInputError: it cannot be read, a speaker is in ``train`` and in another split, or there is
            nothing for training.

    """
    found = corpus.read(data)
    _refuse_shared_speakers(found)
    train = [recording for recording in found if recording.split == TRAIN]
    if not train:
        raise BadInputError("no recording for training", where=str(data), hint="rows with split=train, or sound files")
    return train


def _refuse_shared_speakers(recordings: Iterable[Utterance]) -> None:
    """A speaker in two splits would make every figure on the other split worthless."""
    speakers: dict[bool, set[str]] = {True: set(), False: set()}
    for recording in recordings:
        speakers[recording.split == TRAIN].add(f"{recording.corpus}/{recording.speaker}")
    if both := sorted(speakers[True] & speakers[False]):
        raise BadInputError(f"speakers in train and in another split: {', '.join(both[:3])}")
