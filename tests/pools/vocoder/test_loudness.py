"""Converted speech follows the loudness of its source."""

import numpy as np
import pytest

from voxrelay.relay.tensors import Audio
from voxrelay.workers.runtime.loudness import follow, measure

SECONDS = 5.12


def tone(rate: int, level: float, seconds: float = SECONDS, start: float = 0.0) -> Audio:
    """Make a tone whose power moves slowly by 12 dB, at ``level`` in dB; it begins ``start`` seconds into it."""
    time = start + np.arange(round(seconds * rate)) / rate
    envelope = 10 ** ((level + 6 * np.sin(time)) / 20)
    return Audio((envelope * np.sin(2 * np.pi * 200 * time)).astype(np.float32), rate=rate)


@pytest.mark.parametrize("level", [-8.0, -2.0, 2.0])
def test_sound_takes_the_envelope_of_its_source(level: float) -> None:
    source, flat = tone(16_000, -23), Audio(tone(22_050, 0).data * 0 + 1, rate=22_050)
    made = Audio((flat.data * 10 ** ((level - 23) / 20)), rate=22_050)
    found = follow(made, measure(source)).data
    wanted = 10 ** ((-23 + 6 * np.sin(np.arange(len(found)) / 22_050)) / 20) / np.sqrt(2)
    assert np.abs(20 * np.log10(np.abs(found) / wanted)).max() < 1


def test_windows_agree_where_they_meet() -> None:
    step = 4.48
    first, second = (
        follow(tone(22_050, -30, start=start), measure(tone(16_000, -23, start=start))).data for start in (0.0, step)
    )
    seam, edge = round((step + 0.32) * 22_050), round(0.32 * 22_050)
    assert np.abs(first[seam - 220 : seam + 220] - second[edge - 220 : edge + 220]).max() < 0.003


def test_silence_is_not_lifted() -> None:
    quiet = Audio(np.full(112_896, 1e-4, dtype=np.float32), rate=22_050)
    silent = Audio(np.zeros(81_920, dtype=np.float32), rate=16_000)
    assert np.abs(follow(quiet, measure(silent)).data).max() <= 1e-4
