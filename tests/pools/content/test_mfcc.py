"""MFCC: frame counts and their place in time, and what it is meant to ignore."""

import numpy as np
import pytest

from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import Audio, Floats
from voxrelay.workers.content import mfcc

RATE = 16_000


def noise(samples: int, seed: int = 0) -> Floats:
    return 0.1 * np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def voice(pitch: float) -> Floats:
    """A second of pulses, softer towards high frequencies, and a second of faint noise."""
    time = np.arange(RATE) / RATE
    sound = sum(np.cos(2 * np.pi * k * pitch * time) / k for k in range(1, int(4000 / pitch)))
    return np.concatenate([0.1 * sound, 0.001 * noise(RATE)]).astype(np.float32)


def encode(sound: Floats, coefficients: int = 13) -> Floats:
    model, clip = mfcc.load(coefficients=coefficients), Audio(sound, RATE)
    [content] = model.encode_surveyed([clip], [model.survey([clip])])
    assert content.model == "mfcc"
    return content.data


@pytest.mark.parametrize(("samples", "frames"), [(48_000, 150), (96_000, 300), (4_800, 15), (81_920, 256), (320, 1)])
def test_frames_are_samples_by_320(samples: int, frames: int) -> None:
    content = encode(noise(samples), coefficients=16)
    assert content.shape == (frames, 16)
    assert content.dtype == np.float32
    assert np.isfinite(content).all()


def test_each_frame_is_centred_on_its_samples() -> None:
    sound = 1e-3 * noise(32_000)
    sound[320 * 40 + 160] = 1.0
    level = encode(sound)[:, 0]
    np.testing.assert_allclose(level[39], level[41], atol=3.0)
    assert level.argmax() == 40


def test_a_batch_is_each_clip_alone() -> None:
    clips = [Audio(noise(16_000, seed), RATE) for seed in range(8)]
    model = mfcc.load()
    batch = model.encode_surveyed(clips, [model.survey([clip]) for clip in clips])
    for clip, content in zip(clips, batch, strict=True):
        np.testing.assert_array_equal(content.data, encode(clip.data))


def test_windows_of_one_recording_share_its_mean_and_warp() -> None:
    sound = np.concatenate([0.1 * noise(16_000, 1), noise(16_000, 2)])
    model, clips = mfcc.load(), [Audio(part, RATE) for part in (sound[:16_000], sound[16_000:])]
    quiet, loud = model.encode_surveyed(clips, [model.survey(clips)] * 2)
    assert loud.data[:, 0].mean() - quiet.data[:, 0].mean() > 20  # the level does not jump back at the edge
    np.testing.assert_allclose(quiet.data.mean(axis=0) + loud.data.mean(axis=0), 0, atol=1e-3)


def test_volume_and_a_fixed_filter_are_taken_off() -> None:
    sound = noise(48_000)
    np.testing.assert_allclose(encode(0.1 * sound), encode(sound), atol=0.05)
    filtered = np.convolve(sound, [1, -0.7], mode="same").astype(np.float32)
    change = np.abs(encode(filtered) - encode(sound)).mean()
    assert change < 0.1 * np.abs(encode(sound) - encode(noise(48_000, 1))).mean()


@pytest.mark.parametrize(("pitch", "warp"), [(80, 0.85), (120, 0.910), (145, 1.0), (190, 1.145), (260, 1.2)])
def test_the_frequency_axis_follows_the_root_of_the_pitch(pitch: float, warp: float) -> None:
    assert mfcc._warp([voice(pitch)]) == pytest.approx(warp, abs=0.01)


def test_silence_is_finite() -> None:
    assert np.isfinite(encode(np.zeros(4_800, dtype=np.float32))).all()


@pytest.mark.parametrize("clip", [Audio(noise(48_000), 22_050), Audio(noise(319), RATE)])
def test_other_rates_and_less_than_a_frame_are_refused(clip: Audio) -> None:
    with pytest.raises(BadInputError, match=str(clip.rate)):
        mfcc.load().survey([clip])


@pytest.mark.parametrize("options", [{"coefficients": 41}, {"coefficients": 0}, {"highest": 7000.0}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(BadConfigError, match="allowed"):
        mfcc.load(**options)  # type: ignore[arg-type]
