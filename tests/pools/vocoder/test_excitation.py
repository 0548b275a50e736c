"""The source's periods are set down at another distance, and lie alike where two windows meet."""

import numpy as np
import pytest

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Audio, Floats, Melody
from voxrelay.workers.vocoder import excitation

RATE = clock.SOUND_RATE
FRAME = clock.CONTENT_HOP


def glide(seconds: float, low: float = 110.0, high: float = 140.0) -> tuple[Audio, Floats]:
    """Make a voice whose pitch rises steadily, decaying periods at 16 kHz, and its pitch in every frame."""
    time = np.arange(round(seconds * clock.RATE)) / clock.RATE
    hertz = low + (high - low) * time / seconds
    turns = np.cumsum(hertz) / clock.RATE
    sound = np.exp(-6 * (turns % 1)) * np.sin(2 * np.pi * 700 * (turns % 1) / hertz)
    frames = clock.content_frames(len(sound))
    return Audio((0.3 * sound).astype(np.float32), clock.RATE), hertz[FRAME // 2 :: FRAME][:frames].astype(np.float32)


def melody(own: Floats, ratio: float) -> Melody:
    return Melody(np.stack([own, own * ratio], axis=1))


def period(sound: Floats, hertz: float) -> float:
    """Find the pitch near ``hertz`` by autocorrelation."""
    lags = np.arange(int(RATE / hertz / 1.3), int(RATE / hertz * 1.3))
    return float(RATE / lags[np.argmax([sound[:-lag] @ sound[lag:] for lag in lags])])


def off(found: Floats, wanted: Floats) -> float:
    """Return what differs, relative to what there is, in power."""
    return float(np.square(found - wanted).sum() / np.square(wanted).sum())


@pytest.mark.parametrize("ratio", [0.6, 1.0, 1.7])
def test_it_has_the_asked_pitch_and_length(ratio: float) -> None:
    source, own = glide(2.0)
    moved = excitation.move(source, melody(own, ratio)).data
    assert moved.dtype == np.float32
    assert len(moved) == MEL.hop * clock.mel_frames(len(own))
    for second in (0.4, 1.6):
        around = moved[round((second - 0.05) * RATE) : round((second + 0.05) * RATE)]
        wanted = ratio * own[round(second * 50)]
        assert period(around, wanted) == pytest.approx(wanted, rel=0.02)


def test_where_the_pitch_stays_the_sound_does() -> None:
    source, own = glide(1.0, low=120, high=120)
    still = excitation.move(source, melody(np.zeros_like(own), 1.0)).data
    same = excitation.move(source, melody(own, 1.0)).data
    middle = slice(RATE // 5, -RATE // 5)
    assert off(same[middle], still[middle]) < 0.05
    other = excitation.move(source, melody(own, 1.3)).data
    assert off(other[middle], still[middle]) > 0.5


def test_what_has_no_voice_stays_as_it_is() -> None:
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, clock.RATE).astype(np.float32), clock.RATE)
    own = np.zeros(50, np.float32)
    still = excitation.move(noise, Melody(np.stack([own, own + 200], axis=1))).data
    own[30:] = 150
    partly = excitation.move(noise, Melody(np.stack([own, own + 200], axis=1))).data
    begin = 29 * clock.SOUND_PER_HOP
    np.testing.assert_array_equal(partly[:begin], still[:begin])
    assert off(partly[begin + 1000 :], still[begin + 1000 :]) > 0.1


@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("hertz", [0.0, 60.0, 500.0])
def test_the_shortest_windows_have_their_length(frames: int, hertz: float) -> None:
    sound = Audio(np.full(frames * FRAME - 3, 0.1, np.float32), clock.RATE)
    own = np.full(frames, hertz, np.float32)
    found = excitation.move(sound, Melody(np.stack([own, own + 100], axis=1)), [0, 200])
    assert len(found.data) == MEL.hop * clock.mel_frames(frames)
    assert np.isfinite(found.data).all()


@pytest.mark.parametrize("pitch", [-1.0, 0.0, 1e-30, 1e30])
def test_pitches_that_no_voice_has_do_no_harm(pitch: float) -> None:
    source, own = glide(1.0)
    for column in (0, 1):
        rows = np.stack([own, own], axis=1)
        rows[::3, column] = pitch
        assert np.isfinite(excitation.move(source, Melody(rows)).data).all()


@pytest.mark.parametrize("ratio", [0.6, 1.7])
def test_two_windows_agree_where_they_meet(ratio: float) -> None:
    source, own = glide(4.0)
    cut, meets = 80 * FRAME, 110 * FRAME  # the second window begins at the first, both are heard to the second
    late = Audio(source.data[cut:], clock.RATE)
    seam = clock.sound_samples(meets)
    first = excitation.move(source, melody(own, ratio), [seam]).data
    second = excitation.move(late, melody(own[80:], ratio), [clock.sound_samples(meets - cut)]).data
    here = slice(seam - RATE // 20, seam + RATE // 20)
    there = slice(here.start - clock.sound_samples(cut), here.stop - clock.sound_samples(cut))
    assert off(second[there], first[here]) < 0.01
    careless = excitation.move(late, melody(own[80:], ratio)).data
    assert off(careless[there], first[here]) > 0.1
