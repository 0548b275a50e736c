"""The search for nearest frames: exact, whatever the blocks and clips, and small."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from voxrelay.relay.tensors import Floats
from voxrelay.workers.mel import search
from voxrelay.workers.mel.search import Search


def random(frames: int, seed: int, width: int = 5) -> Floats:
    return (50 + 3 * np.random.default_rng(seed).standard_normal((frames, width))).astype(np.float32)


def stacked(frames: Floats, context: int) -> NDArray[np.float64]:
    """State it again: every frame beside its neighbours, a clip's ends repeated."""
    around = np.clip(np.arange(len(frames))[:, None] + np.arange(-context, context + 1), 0, len(frames) - 1)
    return frames[around].reshape(len(frames), -1).astype(np.float64)


@pytest.mark.parametrize("context", [0, 1, 3])
@pytest.mark.parametrize("sizes", [(256, 4096), (7, 5), (64, 11)])
@pytest.mark.parametrize("lengths", [(40,), (1, 30, 2, 9)])
def test_it_finds_what_comparing_all_finds(
    context: int, sizes: tuple[int, int], lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_SOUGHT", sizes[0])
    monkeypatch.setattr(search, "_SEARCHED", sizes[1])
    clips, said = [random(length, seed) for seed, length in enumerate(lengths)], random(23, 99)
    everything = cdist(stacked(said, context), np.concatenate([stacked(clip, context) for clip in clips]))
    for count in (1, 6, sum(lengths)):
        distances, numbers = Search(clips, context).nearest(said, count)
        np.testing.assert_array_equal(numbers, np.argsort(everything, axis=1)[:, :count])
        np.testing.assert_allclose(distances, np.sort(everything, axis=1)[:, :count], rtol=1e-5)


def test_frames_are_numbered_through_the_clips() -> None:
    clips = [random(4, 1), random(3, 2)]
    found = Search(clips, context=2)
    assert len(found) == 7
    np.testing.assert_allclose(found.frames(np.arange(7)) + found.mean, np.concatenate(clips), rtol=1e-6)
    np.testing.assert_array_equal(found.centred(clips[1]), found.frames(np.array([4, 5, 6])))


def test_memory_does_not_grow_with_source_times_reference() -> None:
    index, said = Search([random(12_000, 1)], context=2), random(6_000, 2)
    tracemalloc.start()
    index.nearest(said, 10)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000 * 12_000 * 4 / 10
