"""Figures of an evaluation: every pair as a dot, what stands for all of them with its interval."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voxrelay.checks.judges.measures import BY_KEY
from voxrelay.checks.judges.statistics import Scored, Summary
from voxrelay.relay.comparison import Kind, Row

_COLOURS: dict[Kind, str] = {
    "ground truth": "#555555",
    "source": "#555555",
    "round trip": "#555555",
    "copy synthesis": "#8a6d1f",
    "pipeline": "#1f6fb4",
    "nearest voice": "#b2537a",
    "shuffled voice": "#c0392b",
}
_WIDTH, _ROW, _MARGINS = 12.0, 0.42, 2.0  # inches
_SPREAD = 0.28  # of the dots around their row
_LEGEND = (
    "Small dots are pairs, the large one stands for all of them, the bar is its 95 % interval; what lies beyond an "
    "axis is at its end."
)


@dataclass(frozen=True)
class Plan:
    """One figure: its panels, their axes in ``limits``, and what to see in it."""

    name: str
    title: str
    panels: Sequence[str]
    limits: Sequence[tuple[float | None, float | None]]
    caption: str


PLANS = (
    Plan(
        "similarity",
        "Whose voice: cosine of Resemblyzer embeddings",
        ("secs_target", "secs_source"),
        ((0.3, 1.04), (0.3, 1.04)),
        "A conversion should be far right on the left panel and far left on the right one. The source and the shuffled "
        "voice bound what two strangers score; the target's other recordings what one person scores.",
    ),
    Plan(
        "independent",
        "Whose voice: cosine of an encoder that conditions no model",
        ("encoder_target", "encoder_source"),
        ((-0.4, 1.06), (-0.4, 1.06)),
        "As the figure of Resemblyzer, by a weaker judge that nothing was made to please. A row that gains there and "
        "not here has learnt to please Resemblyzer.",
    ),
    Plan(
        "words",
        "Which words: errors of a recogniser against its own reading of the source",
        ("cer", "wer"),
        ((0, 1.2), (0, 1.6)),
        "Left is better. The round trip is the recogniser's own error: read every row by its distance to it.",
    ),
    Plan(
        "quality",
        "How clean: DNSMOS P.835, 1 to 5",
        ("sig", "bak", "ovr"),
        ((1, 4.5), (1, 4.5), (1, 4.5)),
        "Right is better: speech, background, overall. Copy synthesis bounds what its vocoder can reach.",
    ),
    Plan(
        "pitch",
        "Which melody: F0 against the source's, and register against the target's",
        ("f0_pcc", "register"),
        ((-0.6, 1.06), (0, 16)),
        "Left panel, right is better: 1 is the source's melody. Right panel, left is better: semitones between the "
        "medians; the source, unconverted, shows how far apart the two speakers are.",
    ),
)


def draw(folder: Path, summary: Summary, scored: Scored) -> list[str]:
    """Write a PNG for every plan that has anything to show; returns their names."""
    return [plan.name for plan in PLANS if _draw(folder / f"{plan.name}.png", plan, summary, scored)]


def _draw(path: Path, plan: Plan, summary: Summary, scored: Scored) -> bool:
    rows = [row for row in summary.rows if any(summary.of(row.name, key) for key in plan.panels)]
    if not rows:
        return False
    figure = Figure(figsize=(_WIDTH, _MARGINS + _ROW * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(plan.panels), sharey=True)
    for axes, key, limits in zip(panels, plan.panels, plan.limits, strict=True):
        _panel(axes, key, limits, rows, summary, scored)
    panels[0].set_yticks(range(len(rows)), [row.name for row in rows], fontsize=9)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.suptitle(plan.title, fontsize=12)
    figure.supxlabel("\n".join(textwrap.wrap(f"{plan.caption} {_LEGEND}", 150)), fontsize=9, color="#444444")
    figure.savefig(path, format="png", dpi=110)
    return True


def _panel(
    axes: Axes,
    key: str,
    limits: tuple[float | None, float | None],
    rows: Sequence[Row],
    summary: Summary,
    scored: Scored,
) -> None:
    dice = np.random.default_rng(0)
    for place, row in enumerate(rows):
        found, colour = summary.of(row.name, key), _COLOURS[row.kind]
        if found is None:
            continue
        values = [value for trial, scores in scored if trial.row == row.name and (value := scores[key]) is not None]
        heights = place + dice.uniform(-_SPREAD, _SPREAD, len(values))
        axes.scatter(np.clip(values, *limits), heights, s=9, color=colour, alpha=0.3, linewidth=0)
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(found.value, place, "o", color=colour, markeredgecolor="white", markersize=8)
        axes.annotate(f"{found.value:.2f}", (found.value, place), (0, 7), textcoords="offset points",
                      ha="center", fontsize=8, bbox={"color": "white", "alpha": 0.7, "pad": 0.5})  # fmt: skip
    axes.set_xlim(*limits)
    axes.set_xlabel(BY_KEY[key].title)
    axes.grid(axis="x", alpha=0.3)
