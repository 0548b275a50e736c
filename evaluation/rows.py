"""The rows of an evaluation: which conversions each needs, and where every sound lies."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxrelay.evaluation.conversions import Wish
from voxrelay.evaluation.pairs import Pair
from voxrelay.evaluation.pipeline import Pipeline
from voxrelay.relay.comparison import Row

TRUTH = Row(name="target's other recordings", kind="ground truth")
SOURCE = Row(name="source, unconverted", kind="source")
ROUND_TRIP = Row(name="round trip", kind="round trip")
REFERENCE = "reference"


@dataclass(frozen=True)
class Places:
    """Where the sounds of an evaluation lie."""

    folder: Path

    def of(self, row: Row | str, pair: Pair) -> Path:
        """Return the file of a row (or of the references) for a pair."""
        name = row if isinstance(row, str) else row.name
        return self.folder / "sounds" / name.replace("'", "").replace(", ", ".").replace(" ", "-") / f"{pair.name}.wav"

    def within(self, path: Path) -> str:
        """Name a file as ``comparison.json`` does."""
        return path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Driven:
    """A row that is converted: by which pipeline, and in whose voice each pair's source is said."""

    row: Row
    pipeline: Pipeline
    voices: Mapping[str, Path]

    def wishes(self, pairs: Sequence[Pair], places: Places) -> Iterator[Wish]:
        """Yield the conversions it consists of."""
        for pair in pairs:
            yield Wish(places.of(SOURCE, pair), str(self.voices[pair.name]), self.pipeline, places.of(self.row, pair))


def copy_synthesis(vocoder: str) -> Row:
    """Return the row of a vocoder that is given the true mel of the source."""
    return Row(name=f"copy synthesis, {vocoder}", kind="copy synthesis", pipeline=vocoder)


def driven(
    pipeline: Pipeline,
    references: Mapping[str, Path],
    nearest: Mapping[str, Path] | None,
    shuffled: Mapping[str, Path] | None,
) -> list[Driven]:
    """Return the rows of a pipeline: driven by the target's voice, and by two that are not the target's.

    Args:
        pipeline: the models.
        references: the target's voice, by pair.
        nearest: the training speaker's voice that is nearest to it, if these are known.
        shuffled: the voice of some other pair's target, if there is another.

    """
    name = str(pipeline)
    rows = [Driven(Row(name=name, kind="pipeline", pipeline=name), pipeline, references)]
    if nearest is not None:
        row = Row(name=f"{name}, nearest training voice", kind="nearest voice", pipeline=name)
        rows.append(Driven(row, pipeline, nearest))
    if shuffled is not None:
        row = Row(name=f"{name}, shuffled voice", kind="shuffled voice", pipeline=name)
        rows.append(Driven(row, pipeline, shuffled))
    return rows


def shuffle(pairs: Sequence[Pair], references: Mapping[str, Path], seed: int) -> dict[str, Path] | None:
    """Give every pair the reference of another, whose target is neither its own target nor its source speaker.

    All that a pipeline may know of its target comes from the reference, the embedding among it: this
    shuffles all of it, which for a pipeline that looks at nothing but the embedding is the same.
    """
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    mixed = {}
    for pair in pairs:
        taken = {pair.target, (pair.source.corpus, pair.source.speaker)}
        strangers = [other for other in pairs if other.target not in taken]
        if not strangers:
            return None
        mixed[pair.name] = references[dice.choice(strangers).name]
    return mixed
