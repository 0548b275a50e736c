"""Correction brings a sound to its mel, and leaves alone what is there already."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from fixed import Fixed

from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import MEL, Mel
from voxrelay.workers.runtime.filters import mel_filters
from voxrelay.workers.vocoder import hifigan
from voxrelay.workers.vocoder.corrected import Corrected
from voxrelay.workers.vocoder.generator import VARIANTS, Generator

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
MARGIN = (MEL.fft - MEL.hop) // 2


def log_mel(sound: np.ndarray) -> np.ndarray:
    """State the mel's definition once more, in NumPy: [80, frames]."""
    padded = np.pad(sound, MARGIN, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL.fft)[:: MEL.hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL.fft) / MEL.fft)
    spectrum = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.log(np.maximum(mel_filters() @ np.sqrt(spectrum + 1e-9).T, 1e-5))


def voiced(colour: float, frames: int = 60) -> np.ndarray:
    """Harmonics of 120 Hz that fall by ``colour`` an octave, with a little noise between."""
    time = np.arange(frames * MEL.hop) / MEL.rate
    tones = sum(np.sin(2 * np.pi * 120 * k * time + k * k) * k**-colour for k in range(1, 60))
    noise = np.random.default_rng(0).normal(0, 0.02, len(time))
    return (0.1 * (tones + noise)).astype(np.float32)


def corrected(sound: np.ndarray, mel: np.ndarray, rounds: int) -> np.ndarray:
    module = Corrected(Fixed(sound), mel_filters(), rounds)
    found: np.ndarray = module(torch.from_numpy(mel).float()[None])[0].numpy()
    return found


def test_a_mel_in_float16_sounds_as_in_float32() -> None:
    """Speech by the vocoder that is served: what rounding changes is 40 dB below it."""
    served = configuration.load().stages["vocoder"]["hifigan-lite"]
    speech, _ = librosa.load(EXAMPLES / "male.ogg", sr=MEL.rate, duration=2)
    model, full = hifigan.load(**served.options), log_mel(speech).T.astype(np.float32)
    [wanted], [found] = (model.vocode([Mel(np.ascontiguousarray(mel))]) for mel in (full, full.astype(np.float16)))
    assert 0 < np.square(found.data - wanted.data).mean() < 1e-4 * np.square(wanted.data).mean()


def test_every_round_brings_the_sound_nearer_to_its_mel() -> None:
    wanted, sound = log_mel(voiced(0.9)), voiced(1.2)
    off = [np.abs(log_mel(corrected(sound, wanted, rounds)) - wanted).mean() for rounds in (0, 1, 2, 4)]
    assert off == sorted(off, reverse=True)
    assert off[2] < 0.4 * off[0]


def test_a_sound_that_has_its_mel_stays() -> None:
    sound = voiced(1.0)
    inner = slice(MEL.fft, -MEL.fft)  # the first and last frames see the ends reflected
    np.testing.assert_allclose(corrected(sound, log_mel(sound), 2)[inner], sound[inner], atol=1e-4)


def test_rows_do_not_hear_each_other() -> None:
    torch.manual_seed(0)
    mels = torch.randn(3, MEL.bands, 40) - 4
    module = Corrected(Generator(VARIANTS["v3"]), mel_filters(), 2).eval()
    with torch.inference_mode():
        together, alone = module(mels), module(mels[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest(frames: int) -> None:
    sound = voiced(1.0, frames)
    assert corrected(sound, np.full((MEL.bands, frames), -4.0), 2).shape == sound.shape


def test_an_option_of_hifigan(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "generator.pt"
    torch.save({"generator": Generator(VARIANTS["v3"]).state_dict()}, weights)
    mel = Mel(np.random.default_rng(0).normal(-3, 1, (50, MEL.bands)).astype(np.float32))
    off = []
    for corrections in (0, 1):
        made = hifigan.load(str(weights), "v3", corrections=corrections).vocode([mel])[0].data
        off.append(np.abs(log_mel(made) - mel.data.T).mean())
    assert off[1] < off[0]
    with pytest.raises(BadConfigError, match="corrections -1"):
        hifigan.load(str(weights), "v3", corrections=-1)
