"""Resemblyzer with its real weights, on sounds made here."""

import numpy as np
import pytest
import resemblyzer as package

from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import Audio
from voxrelay.workers.runtime.placement import Placement
from voxrelay.workers.speaker import resemblyzer

RATE = 16_000


@pytest.fixture(scope="session")
def model() -> resemblyzer.Resemblyzer:
    return resemblyzer.load()


def buzz(seconds: float, pitch: float = 120.0, level: float = 0.1) -> Audio:
    """Make a vowel-like sound that the voice activity detector takes for speech: a pulse train, two formants."""
    time = np.arange(round(seconds * RATE)) / RATE
    swing = pitch * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))
    phase = 2 * np.pi * np.cumsum(swing) / RATE
    sound = np.zeros_like(time)
    for k in range(1, int(4000 / pitch)):
        gain = sum(1 / (1 + ((k * pitch - formant) / 120) ** 2) for formant in (600, 1400))
        sound += gain * np.sin(k * phase)
    sound *= level / np.abs(sound).max()
    return Audio(sound.astype(np.float32), RATE)


def silence(seconds: float) -> Audio:
    return Audio(np.zeros(round(seconds * RATE), np.float32), RATE)


def join(*parts: Audio) -> Audio:
    return Audio(np.concatenate([part.data for part in parts]), RATE)


def test_the_package_of_the_same_name_is_meant() -> None:
    assert package is not resemblyzer
    assert resemblyzer.VoiceEncoder is package.VoiceEncoder


def test_voice_is_a_unit_vector(model: resemblyzer.Resemblyzer) -> None:
    [voice] = model.embed([buzz(3)])
    assert voice.data.shape == (256,)
    assert voice.data.dtype == np.float32
    assert np.linalg.norm(voice.data) == pytest.approx(1, abs=1e-5)
    assert voice.model == "resemblyzer"
    assert voice.seconds == pytest.approx(3, abs=0.3)


def test_equals_resemblyzers_own_chain(model: resemblyzer.Resemblyzer) -> None:
    clip = join(buzz(2), silence(2), buzz(1))
    own = package.VoiceEncoder("cpu", verbose=False).embed_utterance(package.preprocess_wav(clip.data))
    np.testing.assert_allclose(model.embed([clip])[0].data, own, atol=1e-6)


def test_a_lower_precision_hears_the_same_voice(model: resemblyzer.Resemblyzer) -> None:
    lower = resemblyzer.load(Placement(precision="bfloat16"))
    [full] = model.embed([buzz(3)])
    try:
        [rough] = lower.embed([buzz(3)])
    except BadConfigError as error:
        pytest.skip(str(error))
    assert rough.data.dtype == np.float32
    assert 0.99 < full.data @ rough.data < 1 - 1e-7


def test_long_silence_is_not_heard(model: resemblyzer.Resemblyzer) -> None:
    gapped = join(buzz(1.5), silence(5), buzz(1.5))
    with_gap, without = model.embed([gapped, buzz(3)])
    untrimmed = package.VoiceEncoder("cpu", verbose=False).embed_utterance(gapped.data)
    assert with_gap.seconds == pytest.approx(without.seconds, abs=0.5)
    assert with_gap.data @ without.data > untrimmed @ without.data + 0.1


def test_volume_hardly_matters(model: resemblyzer.Resemblyzer) -> None:
    quiet, normal = model.embed([buzz(2, level=0.003), buzz(2, level=0.03)])
    assert quiet.data @ normal.data > 0.99


def test_voices_differ_by_pitch(model: resemblyzer.Resemblyzer) -> None:
    low, again, high = model.embed([buzz(2, pitch=110), buzz(2.5, pitch=110), buzz(2, pitch=230)])
    assert low.data @ again.data > low.data @ high.data


def test_clips_of_a_batch_are_apart(model: resemblyzer.Resemblyzer) -> None:
    clips = [buzz(2, pitch) for pitch in range(90, 250, 20)]
    for voice, clip in zip(model.embed(clips), clips, strict=True):
        np.testing.assert_allclose(voice.data, model.embed([clip])[0].data, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 479, 480, 4000])
def test_next_to_no_speech_is_embedded_whole(model: resemblyzer.Resemblyzer, samples: int) -> None:
    hiss = (1e-4 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)
    [voice] = model.embed([Audio(hiss, RATE)])
    assert np.linalg.norm(voice.data) == pytest.approx(1, abs=1e-5)
    assert 0 < voice.seconds < 0.3


@pytest.mark.parametrize("clip", [silence(2), silence(0), Audio(np.full(RATE, 1e-30, np.float32), RATE)])
@pytest.mark.filterwarnings("error")
def test_silence_is_refused(model: resemblyzer.Resemblyzer, clip: Audio) -> None:
    with pytest.raises(BadInputError, match="silent"):
        model.embed([clip])


def test_another_rate_is_refused(model: resemblyzer.Resemblyzer) -> None:
    with pytest.raises(BadInputError, match=r"22050 Hz .*16000 Hz"):
        model.embed([Audio(buzz(1).data, 22_050)])
