"""Recordings are read in blocks, twice, and are what they would be if they were read at once."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from voxrelay.producer import recording as recordings
from voxrelay.producer.level import LEVEL_DB, speech_level
from voxrelay.producer.recording import survey
from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError

LENGTH, CONTEXT = 81_920, 5_120
FILES = {
    "16 kHz": ("in.wav", 16_000, 1),
    "8 kHz": ("in.wav", 8_000, 1),
    "flac": ("in.flac", 44_100, 1),
    "stereo": ("in.wav", 48_000, 2),
    "odd rate": ("in.wav", 11_025, 1),
    "ogg": ("in.ogg", 44_100, 2),
    "mp3": ("in.mp3", 44_100, 1),
}


def speech(seconds: float, rate: int = 16_000) -> np.ndarray:
    """Noise that comes and goes three times a second."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).uniform(-1, 1, len(time))
    return (0.3 * noise * np.sin(3 * np.pi * time) ** 2).astype(np.float32)


def written(folder: Path, sound: np.ndarray, name: str = "in.wav", rate: int = 16_000) -> Path:
    """Write sound without loss, where the format can."""
    subtype = "FLOAT" if name.endswith(".wav") else None
    soundfile.write(folder / name, sound, rate, subtype)
    return folder / name


def at_once(path: Path) -> np.ndarray:
    """Read a recording as a whole."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1, dtype=np.float32)
    return mono if rate == clock.RATE else soxr.resample(mono, rate, clock.RATE)


@pytest.mark.parametrize("case", FILES)
def test_blocks_are_the_recording_read_at_once(case: str, tmp_path: Path) -> None:
    name, rate, channels = FILES[case]
    mono = speech(20.013, rate)
    path = written(tmp_path, np.stack([mono, mono[::-1]][:channels], axis=1), name, rate)
    whole, found = at_once(path), survey(path, 0.3, 40)
    assert (found.length, found.rate, found.channels) == (len(whole), rate, channels)
    np.testing.assert_allclose(np.concatenate(list(found.blocks())), whole, atol=1e-6)
    assert found.gain == pytest.approx(10 ** ((LEVEL_DB - speech_level(whole)) / 20), rel=1e-9)


@pytest.mark.parametrize("samples", [4_800, 81_921, 200_003, 163_840])
def test_windows_are_cut_from_both_passes_alike(samples: int, tmp_path: Path) -> None:
    sound = speech(samples / 16_000)
    found = survey(written(tmp_path, sound), 0.3, 40)
    assert found.digest == hashlib.sha256(sound.tobytes()).hexdigest()[:32]
    windows = clock.plan_windows(samples, LENGTH, CONTEXT)
    padded = np.pad(sound, (0, LENGTH))
    for window, piece in zip(windows, found.windows(windows), strict=True):
        expected = padded[window.start : window.start + window.length]
        np.testing.assert_array_equal(piece, expected)
        assert piece.dtype == np.float32
    last = next(found.windows(windows[-1:]))
    np.testing.assert_array_equal(last, expected)


def test_no_more_than_a_block_and_a_window_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    joined = np.concatenate
    monkeypatch.setattr(np, "concatenate", lambda parts: held.append(sum(map(len, parts))) or joined(parts))
    blocks = (np.full(50_000, n, dtype=np.float32) for n in range(100))
    windows = clock.plan_windows(5_000_000, LENGTH, CONTEXT)
    assert len(list(recordings.cut(blocks, 5_000_000, windows))) == len(windows)
    assert max(held) <= LENGTH + 50_000


def test_another_recording_has_another_digest(tmp_path: Path) -> None:
    sound = speech(3)
    one = survey(written(tmp_path, sound), 0.3, 40)
    sound[20_000] += np.float32(1e-4)
    assert survey(written(tmp_path, sound), 0.3, 40).digest != one.digest


def test_pauses_are_found_and_short_or_noisy_ones_are_not(tmp_path: Path) -> None:
    sound = np.full(10 * 16_000, 0.1, dtype=np.float32)
    sound[16_000:19_200] = 0  # 0.2 s
    sound[32_000:34_880] = 0  # 0.18 s
    sound[48_000:64_000] = 0.0011  # just above -60 dBFS
    sound[80_000:96_000] = 0.0009  # just below, and 41 dB below the speech
    sound[112_001:120_000] = 0  # off the grid: 112,320 to 120,000
    found = survey(written(tmp_path, sound), 0.3, 40)
    assert found.quiet == ((16_000, 19_200), (80_000, 96_000), (112_320, 120_000))


def test_a_pause_is_far_below_quiet_speech_too(tmp_path: Path) -> None:
    sound = np.full(5 * 16_000, 0.01, dtype=np.float32)  # -40 dBFS
    sound[16_000:32_000] = 0.0005  # -66 dBFS, 26 dB below it
    sound[48_000:64_000] = 0.00005
    assert survey(written(tmp_path, sound), 0.3, 40).quiet == ((48_000, 64_000),)


@pytest.mark.parametrize("level", [0, 0.0009])
def test_a_silent_recording_is_one_pause(level: float, tmp_path: Path) -> None:
    found = survey(written(tmp_path, np.full(20_001, level, dtype=np.float32)), 0.3, 40)
    assert (found.quiet, found.gain) == (((0, 20_001),), 1.0)


def test_a_pause_goes_to_the_end(tmp_path: Path) -> None:
    sound = speech(3.001)
    sound[32_000:] = 0
    assert survey(written(tmp_path, sound), 0.3, 40).quiet == ((32_000, len(sound)),)


def test_a_file_that_ends_early_is_known_for_what_it_holds(tmp_path: Path) -> None:
    path = written(tmp_path, speech(5))
    path.write_bytes(path.read_bytes()[: -3 * 64_000])
    assert survey(path, 0.3, 40).length == 32_000


def test_damage_in_the_middle_is_explained(tmp_path: Path) -> None:
    path = written(tmp_path, speech(30), "in.flac")
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 2 :] = bytes(len(blob) - len(blob) // 2)
    path.write_bytes(blob)
    with pytest.raises(BadInputError, match=r"in\.flac: is not audio that can be read"):
        survey(path, 0.3, 40)


def test_a_value_that_is_not_finite_is_found_wherever_it_is(tmp_path: Path) -> None:
    sound = speech(30)
    sound[400_000] = np.inf
    with pytest.raises(BadInputError, match="not finite"):
        survey(written(tmp_path, sound), 0.3, 40)


def test_a_recording_that_changes_between_the_passes_is_refused(tmp_path: Path) -> None:
    found = survey(written(tmp_path, speech(12)), 0.3, 40)
    written(tmp_path, speech(6))
    with pytest.raises(BadInputError, match="192000 samples long and is now 96000"):
        list(found.windows(clock.plan_windows(found.length, LENGTH, CONTEXT)))
