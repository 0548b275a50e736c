"""Noise is kept from repeating itself; what has a voice keeps its low harmonics."""

import numpy as np
import torch
from fixed import Fixed
from scipy.signal import butter, sosfiltfilt

from voxrelay.relay.tensors import MEL
from voxrelay.workers.runtime.filters import mel_filters
from voxrelay.workers.vocoder.generator import VARIANTS, Generator
from voxrelay.workers.vocoder.noise import NoisePhases

FRAMES = 100


def drawn(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    """Say a sound whose mel has that much below 1 kHz, and that much above."""
    bands = np.where(mel_filters().argmax(axis=1) * MEL.rate / MEL.fft < 1000, low, high).astype(np.float32)
    mel = torch.from_numpy(np.tile(bands[:, None], (1, len(sound) // MEL.hop)))[None]
    found: np.ndarray = NoisePhases(Fixed(sound), mel_filters())(mel)[0].numpy()
    return found


def band(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    found: np.ndarray = sosfiltfilt(butter(6, [low, high], "band", fs=MEL.rate, output="sos"), sound)
    return found


def repeats(sound: np.ndarray, lag: int = MEL.hop) -> float:
    return float(np.mean(sound[lag:] * sound[:-lag]) / np.mean(np.square(sound)))


def test_a_pattern_of_every_frame_is_broken_and_stays_as_loud() -> None:
    pattern = np.tile(np.random.default_rng(0).normal(0, 0.1, MEL.hop), FRAMES)
    made = drawn(pattern, low=-6, high=0)
    for low, high in ((1500, 4000), (4000, 8000)):
        before, after = band(pattern, low, high), band(made, low, high)
        assert repeats(before) > 0.9
        assert abs(repeats(after)) < 0.2
        assert 0.8 < np.std(after) / np.std(before) < 1.25


def test_a_voice_keeps_what_is_below_two_kilohertz() -> None:
    time = np.arange(FRAMES * MEL.hop) / MEL.rate
    voice = sum(np.sin(2 * np.pi * 140 * k * time + k * k) / k for k in range(1, 50))
    made = drawn(0.1 * voice, low=0, high=-6)
    inner = slice(MEL.fft, -MEL.fft)
    np.testing.assert_allclose(band(made, 50, 1500)[inner], band(0.1 * voice, 50, 1500)[inner], atol=2e-3)
    assert np.abs(band(made, 5500, 7000) - band(0.1 * voice, 5500, 7000)).max() > 2e-3


def test_rows_do_not_hear_each_other_and_the_same_comes_again() -> None:
    torch.manual_seed(0)
    mels = torch.randn(3, MEL.bands, 40) - 4
    network = Generator(VARIANTS["v3"])
    module, again = (NoisePhases(network, mel_filters()).eval() for _ in range(2))
    with torch.inference_mode():
        together, alone, shorter = module(mels), again(mels[1:2]), again(mels[1:2, :, :1])
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)
    assert shorter.shape == (1, MEL.hop)
