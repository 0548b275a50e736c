"""Draw a job's timeline: ``python -m voxrelay.checks.trace OUT.png < timeline.json``."""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from voxrelay.relay.timeline import KINDS, Kind, Timeline

_COLOURS: dict[Kind, str] = {"waiting": "#d9d9d9", "moving": "#f0b323", "working": "#2a9d5c"}
_HEIGHTS: dict[Kind, float] = {"waiting": 0.25, "moving": 0.5, "working": 0.8}
_INCHES = (11.0, 0.45)  # width of the figure, height of a lane
_MARGINS = 1.6  # inches for title, axis and legend


def draw(timeline: Timeline, path: Path) -> None:
    """Write a PNG of one row a worker, time from left to right; work is drawn over moves over waits."""
    width, height = _INCHES
    figure = Figure(figsize=(width, _MARGINS + height * len(timeline.lanes)), layout="constrained")
    axes = figure.add_subplot()
    for row, lane in enumerate(timeline.lanes):
        for kind in KINDS:
            bars = [(start, end - start) for start, end in lane.spans(kind)]
            axes.broken_barh(bars, (row - _HEIGHTS[kind] / 2, _HEIGHTS[kind]), color=_COLOURS[kind], linewidth=0)
    for kind in KINDS:
        axes.bar(0, 0, color=_COLOURS[kind], label=kind)
    names = [f"{lane.stage} {lane.model}\n{lane.worker}" for lane in timeline.lanes]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(timeline.seconds, 1e-3))
    axes.set_xlabel("seconds")
    axes.set_title(f"{timeline.job}\n{timeline.verdict()}", fontsize=10)
    figure.legend(loc="outside lower center", ncols=len(KINDS), frameon=False)
    figure.savefig(path, format="png", dpi=120)


if __name__ == "__main__":
    draw(Timeline.model_validate_json(sys.stdin.read()), Path(sys.argv[1]))
