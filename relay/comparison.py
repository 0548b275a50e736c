"""What an evaluation compares: written where conversions are made, read where they are judged.

An evaluation is a folder. ``comparison.json`` lists its sounds by paths within it; what was found
out about a sound lies in ``work/`` under the hash of its file, so that nothing is judged twice.
"""

import hashlib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from voxrelay.relay.errors import BadInputError

FILE = "comparison.json"
Kind = Literal[
    "ground truth",
    "source",
    "round trip",
    "copy synthesis",
    "pipeline",
    "nearest voice",
    "shuffled voice",
]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Facts):
    """One row of every table; ``pipeline`` is ``content+mel+vocoder``, or the vocoder of a copy synthesis."""

    name: str
    kind: Kind
    pipeline: str = ""


class Trial(_Facts):
    """One sound that is judged, and what it is held against; paths are within the evaluation's folder.

    ``source`` is what was to be said, ``reference`` the target's voice as the conversion was given it (or
    should have been), ``other`` more recordings of the target, ``text`` what is said where that is known.
    ``pace`` is the real-time factor: seconds of computing in a second of speech.
    """

    row: str
    pair: str
    group: str
    sound: str
    source: str
    reference: str
    other: str = ""
    text: str = ""
    pace: float | None = None


class Comparison(_Facts):
    """All rows and trials of an evaluation, and what is to be known about them."""

    rows: list[Row]
    trials: list[Trial]
    notes: list[str] = []

    def write(self, folder: Path) -> None:
        """Write it into its folder."""
        (folder / FILE).write_text(self.model_dump_json(indent=1))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            BadInputError: there is none.

        """
        try:
            return cls.model_validate_json((folder / FILE).read_text())
        except (OSError, ValueError) as error:
            raise BadInputError(f"holds no {FILE} that can be read", where=str(folder)) from error


def known(folder: Path, what: Literal["voices", "judged"], sound: Path) -> Path:
    """Return where it is kept what is known about a sound: its Resemblyzer embedding, or what judges said."""
    suffix = {"voices": ".safetensors", "judged": ".json"}[what]
    kept = folder / "work" / what
    kept.mkdir(parents=True, exist_ok=True)
    return kept / (hashlib.sha256(sound.read_bytes()).hexdigest()[:32] + suffix)
