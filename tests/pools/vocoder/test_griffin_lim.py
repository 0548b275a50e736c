"""Griffin-Lim: length, place in time, fidelity to the mel, and refusals."""

import librosa
import numpy as np
import pytest

from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import MEL, Floats, Mel, MelSpec
from voxrelay.workers.vocoder import griffin_lim

RATE = 22_050


def log_mel(sound: Floats) -> Mel:
    """Compute the published mel; the pool that ships it has another environment."""
    padded = np.pad(sound.astype(np.float64), 384, mode="reflect")
    spectrum = librosa.stft(padded, n_fft=1024, hop_length=256, center=False)
    filters = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    return Mel(np.log(np.maximum(filters @ np.sqrt(np.abs(spectrum) ** 2 + 1e-9), 1e-5)).T.astype(np.float32))


def vowel(samples: int = 256 * 172) -> Floats:
    """Harmonics of a gliding pitch, louder and softer twice a second."""
    time = np.arange(samples) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * time)) / RATE
    sound = sum(np.cos(k * phase) / (1 + ((140 * k - 700) / 400) ** 2) for k in range(1, 40))
    return (0.05 * sound * (1.2 + np.cos(4 * np.pi * time))).astype(np.float32)


def vocode(mel: Mel) -> Floats:
    return griffin_lim.load().vocode([mel])[0].data


@pytest.mark.parametrize("frames", [1, 26, 172, 441])
def test_256_samples_a_frame(frames: int) -> None:
    audio = griffin_lim.load(iterations=1).vocode([Mel(np.full((frames, 80), -3.0, dtype=np.float32))])[0]
    assert audio.data.shape == (256 * frames,)
    assert audio.data.dtype == np.float32
    assert audio.rate == RATE


def test_the_sound_has_the_mel_it_was_made_of() -> None:
    mel = log_mel(vowel()).data
    error = np.abs(log_mel(vocode(Mel(mel))).data - mel)
    assert error[mel > mel.max() - 7].mean() < 0.12


def test_the_divergence_updates_invert_the_filters() -> None:
    mel = np.exp(log_mel(vowel()).data.T)
    filters = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    magnitudes = griffin_lim._magnitudes(mel)
    assert magnitudes.min() >= 0
    assert np.abs(np.log(filters @ magnitudes) - np.log(mel)).mean() < 0.05


def test_a_tone_stays_at_its_frequency_and_in_its_time() -> None:
    time = np.arange(RATE) / RATE
    tone = 0.3 * np.cos(2 * np.pi * 1000 * time) * np.exp(-0.5 * ((time - 0.5) / 0.05) ** 2)
    sound = vocode(log_mel(tone[: 256 * 86]))
    spectrum = np.abs(np.fft.rfft(sound, RATE))
    assert abs(int(spectrum.argmax()) - 1000) <= 12
    middle = (sound**2 @ np.arange(len(sound))) / (sound**2).sum()
    assert abs(middle / RATE - 0.5) < 0.002
    np.testing.assert_allclose((sound**2).sum(), (tone**2).sum(), rtol=0.2)


def test_the_same_mel_gives_the_same_bytes() -> None:
    mel = log_mel(vowel())
    assert vocode(mel).tobytes() == vocode(mel).tobytes()


def test_a_batch_of_eight_is_each_mel_alone() -> None:
    mels = [log_mel(vowel(256 * 40) * gain) for gain in np.linspace(0.2, 1.5, 8)]
    for one, mel in zip(griffin_lim.load().vocode(mels), mels, strict=True):
        np.testing.assert_array_equal(one.data, vocode(mel))


def test_loud_mels_stay_within_one() -> None:
    assert np.abs(vocode(Mel(log_mel(vowel()).data + 5))).max() <= 1


def test_silence_is_silent() -> None:
    assert np.abs(vocode(Mel(np.full((86, 80), np.log(1e-5), dtype=np.float32)))).max() < 1e-4


def test_another_mel_definition_is_refused_by_name() -> None:
    wide = MelSpec(high=11_025).fingerprint
    with pytest.raises(BadInputError) as caught:
        griffin_lim.load().vocode([Mel(np.zeros((10, 80), dtype=np.float32), spec=wide)])
    assert wide in str(caught.value)
    assert MEL.fingerprint in str(caught.value)


@pytest.mark.parametrize(("iterations", "momentum"), [(0, 0.99), (32, 1.0), (32, -0.1)])
def test_options_out_of_range_are_refused(iterations: int, momentum: float) -> None:
    with pytest.raises(BadConfigError, match="allowed"):
        griffin_lim.load(iterations, momentum)
