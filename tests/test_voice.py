"""Voices: what is used of them, at which level and weight."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxrelay.producer.asked import read_voices
from voxrelay.producer.level import LEVEL_DB, speech_level
from voxrelay.relay import config as configuration
from voxrelay.relay.config import Config

SECONDS = (4.0, 3.0, 9.0)


def config(reference: float) -> Config:
    """The shipped configuration with another limit."""
    shipped = configuration.load({})
    return shipped.model_copy(update={"limits": shipped.limits.model_copy(update={"reference": reference})})


def folder_of(folder: Path) -> np.ndarray:
    """Write three recordings of different levels; return what they are at the common level, joined."""
    joined = []
    for number, seconds in enumerate(SECONDS):
        sound = np.random.default_rng(number).uniform(-1, 1, round(16_000 * seconds)).astype(np.float32)
        sound *= np.float32(0.1 * (number + 1))
        soundfile.write(folder / f"{number}.wav", sound, 16_000, "FLOAT")
        joined.append(sound * np.float32(10 ** ((LEVEL_DB - speech_level(sound)) / 20)))
    return np.concatenate(joined)


@pytest.mark.parametrize(("limit", "lengths"), [(600, [5.12] * 4), (7.25, [5.12, 5.12]), (3.01, [3.02])])
def test_the_clips_are_those_of_the_joined_recordings(limit: float, lengths: list[float], tmp_path: Path) -> None:
    joined = folder_of(tmp_path)[: round(limit * 16_000)]
    voice = read_voices([str(tmp_path)], config(limit))
    assert [clip.reference.seconds for clip in voice.clips] == lengths
    np.testing.assert_allclose(voice.clips[0].samples[: len(joined)], joined[:81_920], rtol=1e-5)
    last = voice.clips[-1].samples[-len(joined) :]
    tail = np.pad(joined, (0, -len(joined) % 320))[-len(last) :]
    np.testing.assert_allclose(last, tail, rtol=1e-5)
    for clip in voice.clips:
        assert clip.reference.digest == hashlib.sha256(clip.samples.tobytes()).hexdigest()[:32]
        assert clip.reference.weight == pytest.approx(len(clip.samples) / sum(len(c.samples) for c in voice.clips))


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    folder_of(tmp_path)
    assert f"voice {tmp_path}: the first 7.25 s of 16 s are used" in read_voices([str(tmp_path)], config(7.25)).notes
    assert not [note for note in read_voices([str(tmp_path)], config(600)).notes if "are used" in note]


def test_nothing_beyond_the_limit_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxrelay.producer import recording

    folder_of(tmp_path)
    opened: list[str] = []
    blocks = recording._blocks
    monkeypatch.setattr(recording, "_blocks", lambda path: opened.append(path.name) or blocks(path))
    read_voices([str(tmp_path)], config(3.5))
    assert opened == ["0.wav", "1.wav", "2.wav", "0.wav"]
