"""What an evaluation was asked for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxrelay.evaluation.pairs import Pair
from voxrelay.evaluation.pipeline import Pipeline
from voxrelay.relay.errors import BadInputError

_PAIRS = "pairs.json"


@dataclass(frozen=True)
class Request:
    """An evaluation.

    Args:
        data: ``metadata.csv`` or folder of recordings.
        split: which of them; empty: all.
        pairs: how many conversions with each pipeline.
        seed: of the drawing.
        seconds: of a reference, at least; it is cut at twice as many.
        pipelines: what is evaluated.
        training: ``metadata.csv`` or folder of those that the models were trained on, if it is known.
        judges: folder of the judges' weights.
        output: folder to write to; what is there already is not made again.

    """

    data: Path
    split: str
    pairs: int
    seed: int
    seconds: float
    pipelines: tuple[Pipeline, ...]
    training: Path | None
    judges: Path
    output: Path


def claim(folder: Path, pairs: Sequence[Pair]) -> None:
    """Make the folder that of these pairs.

    Raises:
        BadInputError: it is that of others, or holds other things.

    """
    drawn = [_described(pair) for pair in pairs]
    written = folder / _PAIRS
    if written.exists():
        if json.loads(written.read_text()) != drawn:
            what, hint = "holds an evaluation of other pairs", "name a new folder, or use the options of that one"
            raise BadInputError(what, where=str(folder), hint=hint)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError("is not an empty folder", where=str(folder), hint="name a new one")
    folder.mkdir(parents=True, exist_ok=True)
    written.write_text(json.dumps(drawn, indent=1))


def _described(pair: Pair) -> dict[str, str]:
    """Describe a pair without naming a place on this machine."""
    heard = [str(recording.path) for recording in (pair.source, *pair.reference, *pair.others)]
    return {
        "pair": pair.name,
        "group": pair.group,
        "recordings": hashlib.sha256("\n".join(heard).encode()).hexdigest()[:16],
    }
