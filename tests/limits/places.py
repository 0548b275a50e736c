"""Sound at some places and elsewhere: how far the spectrum jumps there, and how loud it is."""

import numpy as np
from numpy.typing import NDArray

from limits.bench import Sound
from voxrelay.relay import clock

FRAME = 512  # 23 ms: one frame ends where the next begins, at the place that is looked at
FLOOR_DB = -60.0  # below the loudest bin; nothing under it is compared
SILENT_DB = -40.0
_NEAR = [-441, -220, 0, 220, 441]  # around a seam: all of a fade of 40 ms
_AWAY = 2205  # elsewhere is at least 0.1 s from any seam and from the ends

Places = NDArray[np.int_]
Figures = NDArray[np.float64]


def around(seams: Places) -> Places:
    """Choose the places that belong to seams, [seams, places]."""
    places: Places = seams[:, np.newaxis] + _NEAR
    return places


def elsewhere(sound: Sound, seams: Places) -> Places:
    """Choose places all over a sound, away from its seams and ends."""
    grid = np.arange(_AWAY, len(sound) - _AWAY, FRAME // 2)
    chosen: Places = grid[np.abs(grid[:, np.newaxis] - seams).min(axis=1) > _AWAY]
    return chosen


def distances(sound: Sound, places: Places) -> Figures:
    """Measure log-spectral distances in dB between the frames before and after each place; NaN in pauses."""
    whole = _spectra(sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME))
    loudest = whole.max()
    before, after = (
        _spectra(np.stack([sound[place + side :][:FRAME] for place in places.flat])) for side in (-FRAME, 0)
    )
    silent = np.maximum(before, after).max(axis=1) < loudest + SILENT_DB
    jump = np.maximum(before, loudest + FLOOR_DB) - np.maximum(after, loudest + FLOOR_DB)
    found = np.where(silent, np.nan, np.sqrt(np.square(jump).mean(axis=1)))
    return found.reshape(places.shape)


def powers(sound: Sound, places: Places) -> Figures:
    """Measure the power of the 10 ms around each place."""
    half = clock.SOUND_PER_HOP // 4
    return np.array([np.square(sound[place - half : place + half], dtype=np.float64).mean() for place in places])


def decibels(ratio: float) -> float:
    """Express a ratio of powers in dB."""
    return float(10 * np.log10(ratio + 1e-12))


def _spectra(frames: Sound) -> Figures:
    """Return the spectra of frames [n, FRAME] in dB, [n, bins]."""
    spectra: Figures = 20 * np.log10(np.abs(np.fft.rfft(np.hanning(FRAME) * frames)) + 1e-9)
    return spectra
