"""Sound at rest: what is packed comes back, and nothing else is taken for it."""

import io

import numpy as np
import pytest
import soundfile

from voxrelay.relay import flac
from voxrelay.relay.errors import BadInputError

RATE, LENGTH = 16_000, 81_920
NOISE = np.random.default_rng(0).uniform(-1, 1, LENGTH).astype(np.float32)
GOOD = flac.pack(NOISE, RATE)


def foreign(comment: str, channels: int = 1, kind: str = "FLAC") -> bytes:
    """Write a sound file that ``pack`` did not write."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", RATE, channels, "PCM_16", format=kind) as file:
        if comment:
            file.comment = comment
        file.write(np.ones((320, channels), dtype=np.int16))
    return buffer.getvalue()


@pytest.mark.parametrize("level", [1e-42, 1e-6, 0.5, 1.0, 40.0, 2.0**31])
def test_sound_comes_back_whatever_its_level(level: float) -> None:
    sound = NOISE * np.float32(level)
    again = flac.unpack(flac.pack(sound, RATE), LENGTH)
    assert (again.rate, again.data.dtype) == (RATE, np.float32)
    error = np.abs(again.data.astype(np.float64) - sound).max()
    assert error <= np.abs(sound).max() / flac.FULL_SCALE * 0.51 + 1e-45


def test_silence_is_silence() -> None:
    silence = np.zeros(LENGTH, dtype=np.float32)
    blob = flac.pack(silence, RATE)
    assert len(blob) < 1000
    np.testing.assert_array_equal(flac.unpack(blob, LENGTH).data, silence)


def test_equal_sound_gives_equal_bytes() -> None:
    assert flac.pack(NOISE.copy(), RATE) == GOOD


def test_it_packs_once_more_to_the_same_sound() -> None:
    once = flac.unpack(GOOD, LENGTH).data
    np.testing.assert_array_equal(flac.unpack(flac.pack(once, RATE), LENGTH).data, once)


@pytest.mark.parametrize("sound", [NOISE[:0], NOISE * np.float32(np.nan), NOISE * np.float32(np.inf)])
def test_what_is_no_sound_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(BadInputError, match="no sound"):
        flac.pack(sound, RATE)


def test_no_more_is_decoded_than_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_a, **_k: pytest.fail("decoded"))
    with pytest.raises(BadInputError, match=f"{LENGTH} samples in 1 channels"):
        flac.unpack(GOOD, LENGTH - 1)


@pytest.mark.parametrize("position", range(4, len(GOOD), len(GOOD) // 40))
def test_damage_is_noticed(position: int) -> None:
    damaged = bytearray(GOOD)
    damaged[position] ^= 0x55
    with pytest.raises(BadInputError):
        flac.unpack(bytes(damaged), LENGTH)


@pytest.mark.parametrize("blob", [b"", GOOD[:20], GOOD[:-1], GOOD[: LENGTH // 2], b"x" + GOOD])
def test_part_of_a_file_is_refused(blob: bytes) -> None:
    with pytest.raises(BadInputError):
        flac.unpack(blob, LENGTH)


@pytest.mark.parametrize("comment", ["", "loud", "nan", "inf", "-1.0", "0.0", "1e300"])
def test_a_scale_that_cannot_be_is_refused(comment: str) -> None:
    with pytest.raises(BadInputError, match="whose peak"):
        flac.unpack(foreign(comment), LENGTH)


def test_another_kind_of_sound_is_refused() -> None:
    assert len(flac.unpack(foreign("1.0"), LENGTH).data) == 320
    with pytest.raises(BadInputError, match="2 channels"):
        flac.unpack(foreign("1.0", channels=2), LENGTH)
    with pytest.raises(BadInputError, match="not FLAC"):
        flac.unpack(foreign("1.0", kind="WAV"), LENGTH)
