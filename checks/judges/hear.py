"""Judge every sound of an evaluation once: ``python -m voxrelay.checks.judges.hear FOLDER WEIGHTS``.

Prints ``DONE/TOTAL`` as it goes on. What is judged already stays.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from voxrelay.checks.judges import dnsmos, encoder, pitch
from voxrelay.checks.judges.measures import WORDLESS
from voxrelay.checks.judges.reading import Reader
from voxrelay.checks.judges.sound import Samples, read
from voxrelay.relay.comparison import Comparison, known

Facts = dict[str, Any]
Judge = Callable[[Samples], Any]


class Judges:
    """All judges whose weights are there."""

    def __init__(self, weights: Path) -> None:
        self.judges: dict[str, Judge] = {
            "reading": Reader().read,
            "pitch": lambda sound: [round(value, 2) for value in pitch.contour(sound)],
        }
        if (weights / dnsmos.WEIGHTS).is_file():
            self.judges["dnsmos"] = dnsmos.Dnsmos(weights / dnsmos.WEIGHTS).score
        if (weights / encoder.WEIGHTS).is_file():
            self.judges["encoder"] = encoder.Encoder(weights / encoder.WEIGHTS).embed

    def hear(self, sound: Path, kept: Path, *, words: bool = True) -> Facts:
        """Return what they say of a sound, and keep it; ``words``: the recogniser, the slowest, as well."""
        facts: Facts = json.loads(kept.read_text()) if kept.exists() else {}
        wanted = self.judges.keys() if words else self.judges.keys() - {"reading"}
        if missing := wanted - facts.keys():
            samples = read(sound)
            facts |= {name: self.judges[name](samples) for name in sorted(missing)}
            kept.write_text(json.dumps(facts))
        return facts


def main(folder: Path, weights: Path) -> None:
    """Judge all sounds of a comparison."""
    torch.set_num_threads(1)
    comparison, judges = Comparison.read(folder), Judges(weights)
    wordless = {row.name for row in comparison.rows if row.kind in WORDLESS}
    said = {name for one in comparison.trials if one.row not in wordless for name in (one.sound, one.source)}
    names = sorted(said | {name for one in comparison.trials for name in (one.sound, one.reference)})
    for done, name in enumerate(names, 1):
        judges.hear(folder / name, known(folder, "judged", folder / name), words=name in said)
        sys.stdout.write(f"{done}/{len(names)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
