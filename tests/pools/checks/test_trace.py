"""The drawn timeline: a PNG that grows with its lanes and shows where work was done."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from voxrelay.checks.trace import _COLOURS, draw
from voxrelay.relay.config import Stage
from voxrelay.relay.timeline import Interval, Lane, Timeline


def lane(stage: Stage, *spans: tuple[float, float]) -> Lane:
    intervals = [Interval(kind="working", part="window", index=i, start=a, end=b) for i, (a, b) in enumerate(spans)]
    return Lane(stage=stage, model="any", worker="host:1", intervals=intervals)


def timeline(*lanes: Lane) -> Timeline:
    return Timeline(job="20250101-120000-0a1b2c3d", started=0.0, seconds=10.0, lanes=list(lanes))


def worked(path: Path) -> tuple[int, np.ndarray]:
    """Return the width of a drawing, and how much of each column is in the colour of work."""
    pixels = np.round(imread(path)[:, :, :3] * 255).astype(int)
    green = [int(_COLOURS["working"][i : i + 2], 16) for i in (1, 3, 5)]
    return pixels.shape[1], (np.abs(pixels - green).max(axis=2) <= 2).sum(axis=0)


def test_work_is_drawn_where_it_was_done(tmp_path: Path) -> None:
    draw(timeline(lane("mel", (0.0, 10.0)), lane("vocoder", (5.0, 10.0))), tmp_path / "half.png")
    width, columns = worked(tmp_path / "half.png")
    assert 1000 < width < 2000
    bars = np.flatnonzero(columns > 20)
    left, right = np.array_split(columns[bars[0] + 2 : bars[-1] - 1], 2)
    np.testing.assert_allclose(np.median(right), 2 * np.median(left), rtol=0.1)


def test_every_lane_has_its_row(tmp_path: Path) -> None:
    heights = []
    for count in (1, 4):
        draw(timeline(*[lane("mel", (0.0, 1.0))] * count), tmp_path / "rows.png")
        heights.append(len(imread(tmp_path / "rows.png")))
    assert heights[1] > heights[0] + 100


def test_a_job_without_work_is_drawn_too(tmp_path: Path) -> None:
    draw(timeline(lane("mel")), tmp_path / "empty.png")
    assert worked(tmp_path / "empty.png")[0] > 1000
