"""Joining windows: seams, gaps, pauses, and going on where somebody stopped."""

import numpy as np
import pytest

from voxrelay.producer.join import HALF_FADE, PAUSE_FADE, Joiner
from voxrelay.relay import clock
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Span

LENGTH, CONTEXT = 81_920, 5_120
LENGTHS = [16_000, 81_920, 81_921, 82_240, 160_001, 500_003]
FADE = HALF_FADE


def planned(samples: int, context: int = CONTEXT, first: int = 0) -> list[Span]:
    return [Span.model_validate(vars(window)) for window in clock.plan_windows(samples, LENGTH, context, first)]


def sounds(windows: list[Span]) -> list[np.ndarray]:
    """Noise for each window, so that every sample tells where it came from."""
    random = np.random.default_rng(0)
    return [random.uniform(-1, 1, clock.sound_samples(w.length)).astype(np.float32) for w in windows]


def joined(joiner: Joiner, given: list[np.ndarray] | list[None] | list[np.ndarray | None]) -> np.ndarray:
    return np.concatenate([joiner.add(sound) for sound in given])


@pytest.mark.parametrize("context", [CONTEXT, 320, 0])
@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize("first", [0, LENGTH // 2])
def test_windows_of_one_sound_join_to_that_sound(samples: int, context: int, first: int) -> None:
    windows = planned(samples, context, first)
    whole = np.random.default_rng(1).uniform(-1, 1, clock.sound_samples(samples) + 441).astype(np.float32)
    given = [whole[clock.sound_samples(w.start) :][: clock.sound_samples(w.length)] for w in windows]
    joiner = Joiner(windows, 1.0, [])
    stream = joined(joiner, given)
    assert len(stream) == joiner.total == clock.sound_samples(samples)
    np.testing.assert_allclose(stream, whole[: joiner.total], atol=1e-6)


@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize("gap", [None, 0, 1])
def test_resuming_anywhere_gives_the_same_stream(samples: int, gap: int | None) -> None:
    windows, quiet = planned(samples, first=LENGTH // 2), [(0, 3_200), (70_080, 90_240), (samples - 4_801, samples)]
    given: list[np.ndarray | None] = [None if n == gap else sound for n, sound in enumerate(sounds(windows))]
    whole, shifts, pieces = Joiner(windows, 0.7, quiet), [], []
    for sound in given:
        pieces.append(whole.add(sound))
        shifts.append(whole.shift)
    stream = np.concatenate(pieces)
    for index, sound in enumerate(given):
        joiner = Joiner(windows, 0.7, quiet)
        final = joiner.resume(index, sound, shifts[index])
        rest = [joiner.add(later) for later in given[index + 1 :]]
        np.testing.assert_array_equal(np.concatenate([stream[:final], *rest]), stream)
        assert final + sum(map(len, rest)) == joiner.total


def test_seams_are_faded_across_forty_milliseconds() -> None:
    windows = planned(LENGTH + 320 * 100)
    low, high = np.zeros(112_896, dtype=np.float32), np.ones(112_896, dtype=np.float32)
    stream = joined(Joiner(windows, 1.0, []), [low, high])
    seam = clock.sound_samples(windows[1].keep_from)
    assert not stream[: seam - FADE].any()
    assert (stream[seam + FADE :] == 1).all()
    assert (np.diff(stream[seam - FADE : seam + FADE]) > 0).all()


@pytest.mark.parametrize("hertz", [100, 220, 1_000])
def test_a_tone_whose_windows_have_phases_of_their_own_is_even(hertz: int) -> None:
    windows = planned(4 * LENGTH)
    times = np.arange(112_896) / clock.SOUND_RATE
    given = [np.sin(2 * np.pi * hertz * times + phase).astype(np.float32) for phase in range(len(windows))]
    stream = joined(Joiner(windows, 1.0, []), given)
    frames = stream[: len(stream) // 441 * 441].reshape(-1, 441)  # 20 ms: two periods of 100 Hz
    np.testing.assert_allclose(frames.std(axis=1), 0.5**0.5, rtol=0.03)


def test_noise_is_as_loud_at_a_seam_as_elsewhere() -> None:
    windows = planned(100 * LENGTH)
    stream = joined(Joiner(windows, 1.0, []), sounds(windows))
    seams = [clock.sound_samples(window.keep_from) for window in windows[1:]]
    across = np.stack([stream[seam - FADE : seam + FADE] for seam in seams])
    np.testing.assert_allclose(across.std(axis=0).mean(), stream.std(), rtol=0.02)


def test_a_gap_is_silence_with_faded_edges() -> None:
    windows = planned(3 * LENGTH)
    ones = [np.ones(112_896, dtype=np.float32) for _ in windows]
    stream = joined(Joiner(windows, 1.0, []), [ones[0], None, *ones[2:]])
    start, stop = (clock.sound_samples(edge) for edge in (windows[1].keep_from, windows[1].keep_to))
    assert not stream[start + FADE : stop - FADE].any()
    assert (stream[: start - FADE] == 1).all()
    assert (stream[stop + FADE :] == 1).all()
    assert np.abs(np.diff(stream)).max() < 0.01


def test_a_stream_of_gaps_is_silence() -> None:
    joiner = Joiner(planned(200_000), 2.0, [])
    np.testing.assert_array_equal(joined(joiner, [None] * 3), np.zeros(joiner.total))


def test_the_level_of_the_source_comes_back_and_is_clipped() -> None:
    windows = planned(16_000)
    sound = np.linspace(-0.5, 0.5, 22_050, dtype=np.float32)
    np.testing.assert_allclose(Joiner(windows, 4.0, []).add(sound), sound / 4)
    np.testing.assert_allclose(Joiner(windows, 0.25, []).add(sound), np.clip(sound * 4, -1, 1))


def test_pauses_are_silent_and_faded_within() -> None:
    windows, samples = planned(500_000), 500_000
    ones = [np.ones(112_896, dtype=np.float32) for _ in windows]
    quiet = [(0, 6_400), (70_400, 96_000), (496_000, samples)]  # at both ends, and across a seam
    stream = joined(Joiner(windows, 1.0, quiet), ones)
    silent = np.zeros(len(stream), dtype=bool)
    faded = silent.copy()
    for start, stop in quiet:
        first, last = clock.sound_samples(start), clock.sound_samples(stop)
        faded[first:last] = True
        silent[first + (PAUSE_FADE if start else 0) : last - (PAUSE_FADE if stop < samples else 0)] = True
    assert not stream[silent].any()
    assert (stream[~faded] == 1).all()
    assert np.abs(np.diff(stream)).max() < 0.01


def test_a_silent_recording_is_wholly_silent() -> None:
    joiner = Joiner(planned(200_001), 1.0, [(0, 200_001)])
    assert not joined(joiner, sounds(planned(200_001))).any()


def test_what_a_model_made_is_left_as_it_is() -> None:
    sound = np.ones(22_050, dtype=np.float32)
    sound.setflags(write=False)
    Joiner(planned(16_000), 0.5, [(3_200, 9_600)]).add(sound)


def test_too_little_sound_is_refused() -> None:
    joiner = Joiner(planned(200_000), 1.0, [])
    with pytest.raises(StageError, match="window 0 became 100 samples"):
        joiner.add(np.zeros(100, dtype=np.float32))
