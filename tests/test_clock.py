"""Rates, frame counts and windows."""

import itertools

import pytest

from voxrelay.relay import clock

LENGTH, CONTEXT, FIRST = 81_920, 5_120, 40_960


def test_a_window_is_whole_on_every_clock() -> None:
    assert clock.content_frames(LENGTH) == 256
    assert clock.mel_frames(256) == 441
    assert clock.sound_samples(LENGTH) == 441 * clock.MEL_HOP == 112_896


@pytest.mark.parametrize("first", [0, FIRST, 4 * CONTEXT])
@pytest.mark.parametrize("samples", [4_800, 16_000, 81_919, 81_920, 81_921, 122_880, 122_881, 160_001, 1_000_003])
def test_windows_cover_a_recording_once(samples: int, first: int) -> None:
    windows = clock.plan_windows(samples, LENGTH, CONTEXT, first)
    assert windows[0].keep_from == 0
    assert windows[-1].keep_to == samples
    for before, after in itertools.pairwise(windows):
        assert before.keep_to == after.keep_from > before.keep_from
        assert after.keep_from - after.start >= CONTEXT
        assert before.start + before.length - before.keep_to >= CONTEXT
    for window in windows:
        assert window.start % clock.CONTENT_HOP == window.length % clock.CONTENT_HOP == 0
    if len(windows) == 2:
        assert windows[0].length == windows[1].length
        assert first <= windows[0].length <= LENGTH
        if first:  # no more than it takes, rounded up three times
            computed = windows[0].length + windows[1].length
            assert computed == 2 * first or computed < samples + 2 * CONTEXT + 3 * clock.CONTENT_HOP
    elif len(windows) > 2:
        assert first <= windows[0].length <= (first + 2 * CONTEXT if first else LENGTH)
        assert {window.length for window in windows[1:]} == {LENGTH}


def test_the_first_window_takes_what_would_hardly_fill_one_more() -> None:
    stride = LENGTH - 2 * CONTEXT
    for rest, count in ((0, 3), (2 * CONTEXT, 3), (2 * CONTEXT + 320, 4)):
        windows = clock.plan_windows(FIRST + 2 * stride + rest, LENGTH, CONTEXT, FIRST)
        assert len(windows) == count
        assert windows[0].length == (FIRST + rest if count == 3 else FIRST)


def test_the_last_window_is_moved_back_not_padded() -> None:
    last = clock.plan_windows(LENGTH + 320, LENGTH, CONTEXT)[-1]
    assert (last.start, last.length) == (320, LENGTH)
