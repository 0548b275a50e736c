"""Pictures of content frames: their number, what is near to what, who is named, what is looked up."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from voxrelay.checks.content.alignment import LookUp, Preference
from voxrelay.checks.content.frames import FRAME_SECONDS
from voxrelay.checks.content.leakage import Leakage
from voxrelay.checks.picture import save

_SAME, _OTHER = "#2a9d5c", "#c8553d"


def draw_lengths(samples: list[int], frames: list[int], cuts: dict[str, int], path: Path) -> None:
    """Draw frames against seconds with the line that they must lie on, and how far off they are."""
    seconds, counts = np.array(samples) / 16_000, np.array(frames)
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    end = max(seconds.max(), *map(float, cuts)) * 1.05
    left.plot(
        [0, end], [0, end / FRAME_SECONDS], color="grey", linewidth=1, label="expected: samples / 320, 50 a second"
    )
    left.scatter(seconds, counts, s=18, label=f"{len(counts)} recordings")
    for name, count in cuts.items():
        left.scatter(float(name), count, s=120, marker="*", color=_OTHER, edgecolors="black", zorder=3)
        beside = {"xytext": (-10, 4), "textcoords": "offset points", "ha": "right"}
        left.annotate(f"{name} s: {count} frames", (float(name), count), **beside)
    left.set(xlabel="length of the recording, seconds", ylabel="content frames", xlim=(0, end), ylim=(0, None))
    left.legend()
    right.axhline(0, color="grey", linewidth=1)
    right.scatter(seconds, counts - np.array(samples) // 320, s=18)
    right.set(xlabel="length of the recording, seconds", ylabel="frames more than samples / 320, rounded down")
    right.set(ylim=(-2, 2), yticks=range(-2, 3))
    save(figure, path)


def draw_preference(model: str, found: dict[str, Preference], path: Path) -> None:
    """Draw distances of the same sentence by two speakers beside those of two sentences by one."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    for axes, (name, one) in zip(figure.subplots(1, 2), found.items(), strict=True):
        bins = np.linspace(min(one.same_sentence + one.same_speaker), max(one.same_sentence + one.same_speaker), 40)
        same, other = len(one.same_sentence), len(one.same_speaker)
        axes.hist(
            one.same_speaker, bins, density=True, alpha=0.6, color=_OTHER, label=f"two sentences, one speaker ({other})"
        )
        axes.hist(
            one.same_sentence, bins, density=True, alpha=0.6, color=_SAME, label=f"one sentence, two speakers ({same})"
        )
        axes.set(xlabel=f"distance after time warping, a frame, in units of {name}", ylabel="density (area 1 each)")
        axes.set_title(f"{name}: the same sentence is nearer in {one.share:.1%} of {one.comparisons}")
        axes.legend(fontsize=9)
    figure.suptitle(f"What is near to what in {model}")
    save(figure, path)


def draw_leakage(found: dict[str, Leakage], path: Path) -> None:
    """Draw how often a linear classifier names the speaker."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for offset, (name, colour) in zip((-0.2, 0.2), (("frame", "#4477aa"), ("utterance", "#99bbdd")), strict=True):
        values = [getattr(one, name) for one in found.values()]
        bars = axes.bar(np.arange(len(found)) + offset, values, 0.38, color=colour, label=f"from one {name}")
        axes.bar_label(bars, fmt="%.2f")
    chance = next(iter(found.values())).chance
    axes.axhline(chance, color="black", linestyle="--", label=f"chance, {chance:.2f}")
    axes.set_xticks(range(len(found)), list(found))
    axes.set(xlabel="features", ylabel="speaker named rightly (balanced accuracy)", ylim=(0, 1.1))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, frameon=False)
    save(figure, path)


def draw_look_up(found: dict[str, LookUp], title: str, path: Path) -> None:
    """Draw which moment of one recording is nearest to each moment of another."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    for axes, (name, one) in zip(figure.subplots(1, 2, sharex=True, sharey=True), found.items(), strict=True):
        times = (np.arange(len(one.found)) + 0.5) * FRAME_SECONDS
        axes.plot(
            times, (one.aligned + 0.5) * FRAME_SECONDS, color="grey", linewidth=5, alpha=0.4, label="aligned in order"
        )
        axes.scatter(times, (one.found + 0.5) * FRAME_SECONDS, s=10, color=_OTHER, label="looked up, nearest of all")
        axes.set(xlabel="time in the source, seconds", ylabel="time in the reference, seconds")
        axes.set_title(f"{name}: {one.near:.0%} within 0.1 s of the alignment (chance {one.chance:.0%})")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, fontsize=9, frameon=False)
    figure.suptitle(title)
    save(figure, path)
