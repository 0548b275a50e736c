"""Studies of the models on recordings: the pools compute, the checks room draws and judges."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxrelay.fleet import checks
from voxrelay.producer.hearing import Heard, OnCount, hear
from voxrelay.producer.producer import Producer
from voxrelay.relay import corpus, safetensors
from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Floats, Voice

_FEWEST = 2  # utterances of a speaker, and speakers, that can be compared


def study_speakers(
    producer: Producer, places: Iterable[Path], folder: Path, *, split: str = "", on_count: OnCount
) -> dict[str, Any]:
    """Embed utterances of several speakers and find out whether they are told apart.

    Args:
        producer: whose pools embed.
        places: folders or tables of utterances, see :func:`voxrelay.relay.corpus.read`.
        folder: new or empty; pictures, a table, a page and what is worth hearing are written to it.
        split: of the tables, to take only some of their rows.
        on_count: is told how many utterances are done.

    Returns:
        The figures: ``purity``, ``ari``, ``silhouette``, ``eer``, ``threshold`` and more.

    Raises:
        BadInputError: there are not two speakers of two utterances, or the folder is not empty.

    """
    new_folder(folder)
    found = [recording for place in places for recording in corpus.read(place, split)]
    heard = usable(hear(producer, found, ["speaker"], on_count), producer.note)
    counts = Counter(item.utterance.speaker for item in heard)
    for speaker in [speaker for speaker, count in counts.items() if count < _FEWEST]:
        producer.note(f"{speaker} has one utterance only and is left out")
    heard = [item for item in heard if counts[item.utterance.speaker] >= _FEWEST]
    if len({item.utterance.speaker for item in heard}) < _FEWEST:
        raise BadInputError("fewer than two speakers of two utterances", hint="in a folder, every speaker has a folder")
    embeddings = np.stack([_embedding(item) for item in heard])
    (folder / "embeddings.safetensors").write_bytes(safetensors.write({"embeddings": embeddings}, {}))
    return run(producer, "speakers", folder, [row(item.utterance) for item in heard])


def usable(heard: Iterable[Heard | BadInputError], note: Callable[[str], None]) -> list[Heard]:
    """Return what could be used; say what could not."""
    found = []
    for item in heard:
        if isinstance(item, Heard):
            found.append(item)
        else:
            note(f"left out: {item}")
    return found


def new_folder(folder: Path) -> None:
    """Make a folder for what is found out.

    Raises:
        BadInputError: there is something in it.

    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError("exists and is not an empty folder", where=str(folder), hint="name a new one")
    folder.mkdir(parents=True, exist_ok=True)


def row(utterance: Utterance) -> dict[str, str]:
    """Return what the checks room is told of an utterance."""
    return {"path": str(utterance.path.resolve()), "speaker": utterance.speaker, "sex": utterance.sex}


def run(producer: Producer, module: str, folder: Path, given: Sequence[Any] | dict[str, Any]) -> dict[str, Any]:
    """Run a program of the checks room on a folder; return the figures it prints."""
    producer.note("drawing")
    printed = checks.run(producer.config, module, str(folder.resolve()), given=json.dumps(given), note=producer.note)
    figures: dict[str, Any] = json.loads(printed)
    return figures


def _embedding(item: Heard) -> Floats:
    """Blend the embeddings of an utterance's clips."""
    voices = [made for each in item.made if isinstance(made := each["speaker"], Voice)]
    return Voice.mix(voices, item.weights).data
