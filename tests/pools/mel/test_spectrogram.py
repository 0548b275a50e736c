"""Log-mels against the published definition, stated again in plain NumPy."""

import numpy as np
import pytest
import soxr

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Audio, Floats
from voxrelay.workers.mel.spectrogram import log_mel


def noise(samples: int) -> Floats:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(samples) * np.linspace(0, 1, samples) ** 4).astype(np.float32)


def slaney(hertz: Floats) -> Floats:
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / np.log(6.4))


def published(sound: Floats) -> Floats:
    """State HiFi-GAN's mel in float64, one frame and one filter at a time."""
    points = np.linspace(slaney(np.array(0.0)), slaney(np.array(8000.0)), 82)
    edges = np.where(points < 15, points * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (points - 15)))
    bins = np.arange(513) * 22_050 / 1024
    filters = [
        np.maximum(0, np.minimum((bins - a) / (b - a), (c - bins) / (c - b))) * 2 / (c - a)
        for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)
    ]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    padded = np.pad(sound.astype(np.float64), 384, mode="reflect")
    frames = []
    for start in range(0, len(padded) - 1023, 256):
        spectrum = np.fft.rfft(hann * padded[start : start + 1024])
        magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
        frames.append([np.log(max(filter_ @ magnitude, 1e-5)) for filter_ in filters])
    return np.array(frames)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_the_published_definition(rate: int) -> None:
    sound = noise(rate)
    expected = published(soxr.resample(sound, rate, 22_050))
    mel = log_mel(Audio(sound, rate))
    assert mel.spec == MEL.fingerprint
    assert mel.data.dtype == np.float32
    assert len(mel.data) - len(expected) in (0, 1)
    np.testing.assert_allclose(mel.data[: len(expected)], expected, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 15, 150, 255, 256, 300])
def test_frames_follow_from_content_frames(frames: int) -> None:
    assert log_mel(Audio(noise(320 * frames), 16_000)).data.shape == (clock.mel_frames(frames), 80)


def test_a_window_is_441_frames() -> None:
    assert log_mel(Audio(noise(81_920), 16_000)).data.shape == (441, 80)


def test_frames_are_centred() -> None:
    sound = np.zeros(22_050, dtype=np.float32)
    sound[256 * 30 + 128] = 1.0
    level = log_mel(Audio(sound, 22_050)).data.mean(axis=1)
    assert level.argmax() == 30
    np.testing.assert_allclose(level[29], level[31], atol=1e-4)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel(Audio(np.zeros(16_000, dtype=np.float32), 16_000)).data, np.log(1e-5), rtol=1e-6)
