"""Study content frames: ``python -m voxrelay.checks.content FOLDER < study.json``.

The folder holds ``frames.safetensors``: ``content`` and, as a control, ``mel``, [frames, features], a frame for
every 20 ms of all recordings, one after the other. Prints the figures as JSON; pictures and a page go to the
folder.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from voxrelay.checks.content import figures
from voxrelay.checks.content.alignment import LookUp, look_up, prefer
from voxrelay.checks.content.frames import Spoken, Twins, twins
from voxrelay.checks.content.leakage import leak
from voxrelay.checks.page import Page
from voxrelay.relay import safetensors

_MOST_TWINS = 24  # sentences of each two speakers that are warped onto each other
_FEWEST_SENTENCES = 5  # that a classifier is trained and tested on
LENGTHS = (
    "Every recording must lie on the line: exactly one frame for every 320 samples, so that 6 s give twice what "
    "3 s give (stars). On the right, how many frames too many or too few."
)
PREFERENCE = (
    "If frames say what was said rather than who said it, the same sentence by two speakers (green) is nearer "
    "than two sentences by one speaker (red): the green hill lies left of the red one, further than in the control."
)
LEAKAGE = (
    "A linear classifier, trained on other sentences, names the speaker. The nearer to chance, the less of the "
    "speaker is left; the mel frames of the same moments show how much there was."
)
LOOK_UP = (
    "For every moment of a sentence, the nearest moment of the same sentence by another speaker, looked up without "
    "regard to order. Dots along the grey band are the right moments; dots off it are sounds taken for others."
)


def read(folder: Path, given: dict[str, Any]) -> dict[str, list[Spoken]]:
    """Read the frames, of the model and of the control."""
    arrays, _ = safetensors.read((folder / "frames.safetensors").read_bytes())
    ends = np.cumsum([row["frames"] for row in given["rows"]])
    return {
        name: [
            Spoken(row["speaker"], row["sentence"], frames.astype(np.float32))
            for row, frames in zip(given["rows"], np.split(array, ends[:-1]), strict=True)
        ]
        for name, array in ((given["model"], arrays["content"]), ("mel", arrays["mel"]))
    }


def study_lengths(given: dict[str, Any], folder: Path, page: Page) -> dict[str, Any]:
    """Hold the numbers of frames against the lengths of the recordings."""
    samples, frames = ([row[name] for row in given["rows"]] for name in ("samples", "frames"))
    figures.draw_lengths(samples, frames, given["cuts"], folder / "lengths.png")
    page.figure("lengths.png", LENGTHS)
    exact = all(count == length // 320 for count, length in zip(frames, samples, strict=True))
    return {"recordings": len(frames), "exact": exact, "frames_of_seconds": given["cuts"]}


def study_twins(kinds: dict[str, list[Spoken]], model: str, folder: Path, page: Page) -> dict[str, Any]:
    """Compare sentences that two speakers have said, if there are any."""
    pairs = {name: twins(spoken, _MOST_TWINS) for name, spoken in kinds.items()}
    if len(pairs[model]) < 2:  # noqa: PLR2004 - a sentence needs another to be compared with
        return {"skipped": ["parallel, look_up: no two sentences (file names) of two speakers (folders) are the same"]}
    found = {name: prefer(some) for name, some in pairs.items()}
    figures.draw_preference(model, found, folder / "parallel.png")
    page.figure("parallel.png", PREFERENCE)
    looked = {name: [_look(pair) for pair in some] for name, some in pairs.items()}
    first = pairs[model][0]
    title = f"{first.first.sentence}: {first.first.speaker} looked up in {first.second.speaker}"
    figures.draw_look_up({name: some[0] for name, some in looked.items()}, title, folder / "look-up.png")
    page.figure("look-up.png", LOOK_UP)
    near = {name: round(float(np.mean([one.near for one in some])), 4) for name, some in looked.items()}
    return {
        "parallel": {"comparisons": found[model].comparisons}
        | {name: round(one.share, 4) for name, one in found.items()},
        "look_up": {"sentences": len(pairs[model])}
        | near
        | {"chance": round(float(np.mean([one.chance for one in looked[model]])), 4)},
    }


def study_leakage(kinds: dict[str, list[Spoken]], folder: Path, page: Page) -> dict[str, Any]:
    """Name the speakers, if there are two and sentences enough."""
    spoken = next(iter(kinds.values()))
    if len({one.speaker for one in spoken}) < 2 or len({one.sentence for one in spoken}) < _FEWEST_SENTENCES:  # noqa: PLR2004
        return {"skipped": ["leakage: fewer than two speakers (folders) or five sentences (file names)"]}
    found = {name: leak(some) for name, some in kinds.items()}
    figures.draw_leakage(found, folder / "leakage.png")
    page.figure("leakage.png", LEAKAGE)
    return {
        "leakage": {name: {key: round(value, 4) for key, value in asdict(one).items()} for name, one in found.items()}
    }


def _look(pair: Twins) -> LookUp:
    return look_up(pair.first.frames, pair.second.frames)


def _flat(found: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield every figure with its name."""
    for name, value in found.items():
        yield from ((name, key, one) for key, one in (value.items() if isinstance(value, dict) else [("", value)]))


def main(folder: Path) -> None:
    """Study, draw, write, and print the figures."""
    given = json.load(sys.stdin)
    kinds, model = read(folder, given), given["model"]
    page = Page(f"{model}: {len(given['rows'])} recordings")
    parts = [
        study_lengths(given, folder, page),
        study_twins(kinds, model, folder, page),
        study_leakage(kinds, folder, page),
    ]
    found = {"model": model, **{name: value for part in parts for name, value in part.items() if name != "skipped"}}
    found["skipped"] = [reason for part in parts for reason in part.get("skipped", [])]
    page.heading("Figures")
    page.table(["", "", "value"], [[name, key, json.dumps(value)] for name, key, value in _flat(found)])
    page.write(folder / "index.html")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
