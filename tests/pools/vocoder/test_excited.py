"""A generator that is lent a waveform says with it what that can say, and the rest itself."""

import numpy as np
import torch
from fixed import Fixed
from test_corrected import log_mel, voiced
from test_noise import band

from voxrelay.relay import config as configuration
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.filters import mel_filters
from voxrelay.workers.runtime.model import ExcitedVocoderModel
from voxrelay.workers.vocoder import hifigan
from voxrelay.workers.vocoder.excited import Excited
from voxrelay.workers.vocoder.stage import STAGE, Spectrum

INNER = slice(MEL.fft, -MEL.fft)


def say(own: np.ndarray, mel: np.ndarray, lent: np.ndarray | None) -> np.ndarray:
    more = [] if lent is None else [torch.from_numpy(lent.astype(np.float32))[None]]
    found: np.ndarray = Excited(Fixed(own), mel_filters())(torch.from_numpy(mel).float()[None], *more)[0].numpy()
    return found


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return what differs, relative to what there is, in power."""
    return float(np.square(found - wanted)[INNER].sum() / np.square(wanted)[INNER].sum())


def test_a_waveform_that_has_the_mel_is_said_as_it_is() -> None:
    wanted, other = voiced(0.9), np.random.default_rng(1).normal(0, 0.03, 60 * MEL.hop)
    made = say(other, log_mel(wanted), wanted)
    assert off(band(made, 50, 7000), band(wanted, 50, 7000)) < 1e-3
    assert off(made, wanted) > 1e-3  # above what a mel tells of, the generator's


def test_it_gets_the_spectrum_that_is_asked_for() -> None:
    asked, lent = log_mel(voiced(0.9)), voiced(1.2)
    made = say(np.zeros(60 * MEL.hop), asked, lent)
    before, after = (np.abs(log_mel(sound) - asked)[:, 4:-4].mean() for sound in (lent, made))
    assert after < 0.3 * before


def test_what_the_waveform_does_not_have_the_generator_says() -> None:
    whole, own = voiced(0.3), 0.5 * voiced(0.3)[::-1].copy()
    half = band(whole, 50, 3000)
    made = say(own, log_mel(whole), half)
    assert off(band(made, 200, 1500), band(whole, 200, 1500)) < 0.01
    high = band(made, 5000, 7000)
    alike = np.corrcoef(high[INNER], band(own, 5000, 7000)[INNER])[0, 1]
    assert alike > 0.9
    assert np.std(high[INNER]) > 0.5 * np.std(band(whole, 5000, 7000)[INNER])


def test_without_a_waveform_and_in_less_than_a_window_the_generator_speaks() -> None:
    own = voiced(0.9)
    np.testing.assert_array_equal(say(own, log_mel(own), None), own)
    short = own[: MEL.hop]
    np.testing.assert_array_equal(say(short, np.zeros((80, 1)), short), short)


def test_each_of_a_batch_is_said_with_its_own_waveform() -> None:
    model = hifigan.load(**configuration.load().stages["vocoder"]["hifigan-lite"].options)
    assert isinstance(model, ExcitedVocoderModel)
    sounds = [voiced(0.9), voiced(1.2)]
    mels = [Mel(np.ascontiguousarray(log_mel(sound).T, dtype=np.float32)) for sound in sounds]
    lent = [Audio(sound, MEL.rate) for sound in sounds]
    together = STAGE.run(model, "window", [Spectrum(*one) for one in zip(mels, [None] * 2, lent, strict=True)])
    for mel, waveform, found in zip(mels, lent, together, strict=True):
        [alone] = model.vocode_excited([mel], [waveform])
        np.testing.assert_allclose(found.data, alone.data, atol=1e-4)
    [without] = STAGE.run(model, "window", [Spectrum(mels[0])])
    assert off(without.data, together[0].data) > 0.01


def test_one_that_is_not_lent_to_is_no_such_model() -> None:
    options = configuration.load().stages["vocoder"]["hifigan-lite"].options
    assert not isinstance(hifigan.load(**{**options, "excited": False}), ExcitedVocoderModel)
