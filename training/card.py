"""The model card of exported weights: what they are, what they learnt from, how well they do."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from voxrelay.training import held_back
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.config import plain
from voxrelay.training.phases import Course, Phase
from voxrelay.training.run import Recipe

_CARD = """\
# {name}

{about} float16, sha256 `{sha256}`.

{origin} {steps} steps of training in voxrelay: {phases}. These are the weights' moving average{mixed}.

## Data

{data}

Nothing of the corpus's development split was read.

## Held-back speakers

{figures}

## To make it again

`vox train {command}` with this `config.yml`:

```yaml
{config}```
"""


def card(file: Path, recipe: Recipe, origin: Mapping[str, str] | None, cache: Cache, mixed: str) -> str:
    """Write the card of an exported file, as Markdown.

    Args:
        file: the exported weights.
        recipe: what trained them; it is measured as it is.
        origin: file, sha256 and source of the weights it began with; None: random ones.
        cache: what it was trained on.
        mixed: what the file is mixed with, in words; empty: nothing.

    """
    return _CARD.format(
        name=file.stem,
        about=recipe.about,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        origin=_origin(origin),
        steps=f"{recipe.state.step:,}",
        mixed=mixed,
        phases=", ".join(_phases(recipe.phases, recipe.state.step)),
        data=_data(cache, recipe.course),
        figures=recipe.figures(recipe.measure()),
        command=recipe.command + (" --init WEIGHTS" if origin else ""),
        config=yaml.safe_dump(plain(recipe.course), sort_keys=False),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_group(figures: Mapping[str, float], names: Sequence[str]) -> list[list[str]]:
    """Give a row to each group of speakers that the first of some measures has: ``NAME/GROUP`` or ``NAME`` for all."""
    groups = [found[len(names[0]) :] for found in figures if found.partition("/")[0] == names[0]]
    return [
        [group.removeprefix("/") or "all"]
        + [f"{figures[name + group]:.4f}" if name + group in figures else "" for name in names]
        for group in groups
    ]


def _origin(origin: Mapping[str, str] | None) -> str:
    if origin is None:
        return "Trained from random weights."
    return f"Began with {origin['source'] or origin['file']} (sha256 `{origin['sha256']}`)."


def _phases(phases: Sequence[Phase], steps: int) -> Iterable[str]:
    """Say how many steps fell into each phase."""
    for phase in phases:
        done = min(steps, phase.steps)
        if done:
            yield f"{done:,} of {phase.name}"
        steps -= done


def _data(cache: Cache, course: Course) -> str:
    """Tell speakers, hours and licence of each corpus."""
    held = held_back.speakers(cache.clips, course.held_back)
    corpora: dict[str, list[Clip]] = {}
    for clip in cache.clips:
        corpora.setdefault(clip.corpus, []).append(clip)
    rows = []
    for corpus, clips in sorted(corpora.items()):
        used = [clip for clip in clips if clip.speaker not in held]
        hours = sum(clip.length for clip in used) / cache.rate / 3600
        speakers, kept = {clip.speaker for clip in used}, {clip.speaker for clip in clips} & held
        licences = ", ".join(sorted({clip.licence for clip in clips})) or "unknown"
        rows.append((corpus, str(len(speakers)), str(len(kept)), f"{hours:.2f}", licences))
    return table(("corpus", "speakers", "held back", "hours", "licence"), rows)
