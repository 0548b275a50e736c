"""The frames of a reference that are nearest to given ones, with what is said around them.

Exact, in blocks: a frame with its neighbours in time is as far from another as the sum over the neighbours says, so
single frames are compared once, by one matrix product a block, and summed along diagonals. That is faster than
searching stacked frames (scikit-learn's brute force, its trees by far) and holds one copy of the reference:
``benchmarks/retrieval.py``, docs/retrieval.md.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.tensors import Floats

_SOUGHT, _SEARCHED = 256, 4096  # frames of a block: 4 MB of distances

Frames = NDArray[np.intp]


class Search:
    """Frames of clips, float32 [frames, features] each, numbered through, with ``context`` frames at each side."""

    def __init__(self, clips: Sequence[Floats], context: int) -> None:
        lengths = [len(clip) for clip in clips]
        self.context = context
        self.mean = sum(clip.sum(axis=0, dtype=np.float64) for clip in clips) / sum(lengths)
        self._rows = _padded(clips, self.mean, context)
        starts = np.cumsum([0] + [length + 2 * context for length in lengths])
        self._starts = np.concatenate([start + np.arange(n) for start, n in zip(starts, lengths, strict=False)])
        self._frame_at = np.full(len(self._rows), -1)
        self._frame_at[self._starts] = np.arange(len(self._starts))
        self._squares = np.einsum("ij,ij->i", self._rows, self._rows)

    def __len__(self) -> int:
        return len(self._starts)

    def centred(self, features: Floats) -> Floats:
        """Take the reference's mean off."""
        centred: Floats = (features - self.mean).astype(np.float32)
        return centred

    def frames(self, numbers: Frames) -> Floats:
        """Return frames by their numbers, centred."""
        found: Floats = self._rows[self._starts[numbers] + self.context]
        return found

    def nearest(self, features: Floats, count: int) -> tuple[Floats, Frames]:
        """Find the nearest frames of each of a recording's frames, the nearest first.

        Args:
            features: float [frames, features].
            count: how many, at most ``len(self)``.

        Returns:
            Euclidean distances of frames with their context, float32 [frames, count], and numbers, [frames, count].

        """
        sought = _padded([features], self.mean, self.context)
        blocks = [
            self._block(sought[start : start + _SOUGHT + 2 * self.context], count)
            for start in range(0, len(features), _SOUGHT)
        ]
        return np.concatenate([block[0] for block in blocks]), np.concatenate([block[1] for block in blocks])

    def _block(self, sought: Floats, count: int) -> tuple[Floats, Frames]:
        """Find the nearest frames of a few, [frames + 2 * context, features]."""
        height = len(sought) - 2 * self.context
        squares: Floats = np.full((height, count), np.inf, np.float32)
        rows: Frames = np.zeros((height, count), np.intp)
        for start in range(0, len(self._rows) - 2 * self.context, _SEARCHED):
            values = self._distances(sought, start)
            full = np.isfinite(squares[:, -1]).all()
            found, columns = _below(values, squares[:, -1:]) if full else _smallest(values, count)
            squares, rows = np.hstack([squares, found]), np.hstack([rows, start + columns])
            order = np.argsort(squares, axis=1, kind="stable")[:, :count]
            squares, rows = np.take_along_axis(squares, order, axis=1), np.take_along_axis(rows, order, axis=1)
        return np.sqrt(np.maximum(squares, 0)), self._frame_at[rows]

    def _distances(self, sought: Floats, start: int) -> Floats:
        """Square the distances to the frames that begin at a block's rows; infinite where none begins."""
        rows = slice(start, start + _SEARCHED + 2 * self.context)
        single = sought @ self._rows[rows].T
        single *= -2
        single += self._squares[rows]
        single += np.einsum("ij,ij->i", sought, sought)[:, np.newaxis]
        height, width = (length - 2 * self.context for length in single.shape)
        total = single[:height, :width].copy()
        for offset in range(1, 2 * self.context + 1):
            total += single[offset : offset + height, offset : offset + width]
        total[:, self._frame_at[start : start + width] < 0] = np.inf
        return total


def _padded(clips: Sequence[Floats], mean: Floats, context: int) -> Floats:
    """Join clips, each less the mean and with its ends repeated ``context`` times; float32."""
    rows = np.empty((sum(len(clip) + 2 * context for clip in clips), clips[0].shape[1]), dtype=np.float32)
    start = 0
    for clip in clips:
        inside = np.clip(np.arange(-context, len(clip) + context), 0, len(clip) - 1)
        rows[start : start + len(inside)] = clip[inside] - mean
        start += len(inside)
    return rows


def _smallest(values: Floats, count: int) -> tuple[Floats, Frames]:
    """Return each row's smallest values, in any order, and their columns."""
    if values.shape[1] <= count:
        return values, np.broadcast_to(np.arange(values.shape[1]), values.shape)
    columns = np.argpartition(values, count - 1, axis=1)[:, :count]
    return np.take_along_axis(values, columns, axis=1), columns


def _below(values: Floats, limits: Floats) -> tuple[Floats, Frames]:
    """Return each row's values below its limit and their columns; infinity where a row has fewer than another."""
    row, column = np.nonzero(values < limits)
    place = np.arange(len(row)) - np.searchsorted(row, row)
    shape = (len(values), place.max(initial=-1) + 1)
    found, columns = np.full(shape, np.inf, values.dtype), np.zeros(shape, np.intp)
    found[row, place], columns[row, place] = values[row, column], column
    return found, columns
