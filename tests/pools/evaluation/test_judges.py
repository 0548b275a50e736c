"""The judges: what each says of sounds of which the answer is known."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxrelay.checks.judges import dnsmos, encoder, pitch
from voxrelay.checks.judges.reading import Reader, character_errors, plain, word_errors
from voxrelay.checks.judges.sound import RATE, Samples, at_least, read

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def weights() -> Path:
    """The folder of the judges' weights, which a clone does not have."""
    named = os.environ.get("VOXRELAY_SHARED")
    if not named:
        pytest.skip("needs the weights of judges: VOXRELAY_SHARED is not set")
    return Path(named) / "scoring"


@pytest.fixture
def speech() -> Samples:
    return read(EXAMPLES / "male.ogg")[: 4 * RATE]


def sung(register: float, swing: float, seconds: float = 2.0) -> Samples:
    """Make a buzz around a pitch in Hz that swings by so many semitones, twice a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(register * 2 ** (swing / 12 * np.sin(4 * np.pi * time))) / RATE
    return np.asarray(sum(np.sin(k * phase) / k for k in range(1, 12)) * 0.2, dtype=np.float32)


def test_registers_are_semitones_apart() -> None:
    low, high = pitch.contour(sung(110, 0)), pitch.contour(sung(220, 0))
    assert np.median(low[low > 0]) == pytest.approx(110, rel=0.01)
    assert pitch.interval(low, high) == pytest.approx(12, abs=0.1) == pitch.interval(high, low)
    hum = np.zeros(len(low))
    hum[:9] = 60
    assert pitch.interval(low, hum) is None


def test_a_melody_is_the_same_in_another_register() -> None:
    source = pitch.contour(sung(110, 2))
    assert pitch.correlation(source, pitch.contour(sung(220, 2))) == pytest.approx(1, abs=0.02)
    assert pitch.correlation(source, pitch.contour(sung(220, -2))) == pytest.approx(-1, abs=0.02)
    assert pitch.correlation(source, np.zeros(len(source))) is None
    assert pitch.correlation(source, np.full(len(source), 110.0)) is None, "a monotone has no melody"


def test_the_same_sound_is_read_alike_whatever_was_read_before(speech: Samples) -> None:
    reader = Reader()
    first = reader.read(speech)
    assert len(first.split()) > 2
    reader.read(np.random.default_rng(0).normal(0, 0.3, 2 * RATE).astype(np.float32))
    assert reader.read(speech) == first == Reader().read(speech)


def test_errors_are_edits_per_unit_of_what_was_wanted() -> None:
    assert plain("Don't -- WAIT, Mr. 5!") == "don't wait mr"
    assert word_errors("a b x d", "a b c d") == 0.25
    assert word_errors("", "a b") == 1
    assert character_errors("abcd", "abcde") == 0.2
    assert word_errors("a", "") is None
    assert character_errors("a", "") is None


def test_noise_is_heard(weights: Path, speech: Samples) -> None:
    judge = dnsmos.Dnsmos(weights / dnsmos.WEIGHTS)
    noise = np.random.default_rng(0).normal(0, 0.05, len(speech)).astype(np.float32)
    clean, noisy = judge.score(speech), judge.score(speech + noise)
    assert all(1 <= value <= 5 for value in (*clean, *noisy))
    assert clean[1] > noisy[1] + 1
    assert clean[2] > noisy[2] + 0.5


def test_long_sound_is_the_mean_of_its_windows(weights: Path, speech: Samples) -> None:
    judge = dnsmos.Dnsmos(weights / dnsmos.WEIGHTS)
    window = at_least(speech, 144_160)[:144_160]
    longer = np.concatenate([window, np.zeros(RATE, dtype=np.float32)])
    both = [judge.score(window), judge.score(longer[RATE:])]
    assert abs(judge.score(longer)[2] - np.mean([scores[2] for scores in both])) < 0.1
    assert judge.score(longer) != judge.score(window)


def test_speakers_are_told_apart(weights: Path) -> None:
    judge = encoder.Encoder(weights / encoder.WEIGHTS)
    man, woman = (read(EXAMPLES / name) for name in ("male.ogg", "female.ogg"))
    one, other, another = (
        np.array(judge.embed(clip)) for clip in (man[: 4 * RATE], man[5 * RATE :], woman[: 4 * RATE])
    )
    assert one.shape == (128,)

    def cosine(left: np.ndarray, right: np.ndarray) -> float:
        return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))

    assert cosine(one, other) > cosine(one, another) + 0.2
    assert len(judge.embed(man[: RATE // 2])) == 128


def test_judges_hear_16_khz(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(22_050), 22_050)
    assert len(read(tmp_path / "a.wav")) == RATE
    assert len(at_least(np.ones(3, dtype=np.float32), 7)) == 7
