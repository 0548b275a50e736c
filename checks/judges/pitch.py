"""The melody and register of speech: F0 by WORLD.

Morise, Yokomori and Ozawa, IEICE Trans. E99-D(7), 2016; https://github.com/JeremyCCHsu/Python-Wrapper-for-World-Vocoder.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr

from voxrelay.checks.judges.sound import RATE, Samples

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # it asks pkg_resources for its version
    import pyworld

LOWEST, HIGHEST = 60.0, 500.0
PERIOD_MS = 10.0
_LEAST_FRAMES = 10
_LEAST_VOICED = 0.1  # of all frames; speech has about half

Contour = NDArray[np.float64]


def contour(sound: Samples) -> Contour:
    """Track F0 of float32 [samples] at 16 kHz by dio and stonemask: Hz every 10 ms, 0 where unvoiced."""
    samples = sound.astype(np.float64)
    rough, times = pyworld.dio(samples, RATE, f0_floor=LOWEST, f0_ceil=HIGHEST, frame_period=PERIOD_MS)
    found: Contour = pyworld.stonemask(samples, rough, times, RATE)
    return found


def correlation(one: Contour, other: Contour) -> float | None:
    """Correlate log F0 over frames that are voiced in both (Pearson); None if there are too few."""
    frames = min(len(one), len(other))
    both = (one[:frames] > 0) & (other[:frames] > 0)
    logs = np.log(np.stack([one[:frames][both], other[:frames][both]]))
    if both.sum() < _LEAST_FRAMES or logs.std(axis=1).min() < np.finfo(np.float32).eps:
        return None
    return float(pearsonr(*logs).statistic)


def interval(one: Contour, other: Contour) -> float | None:
    """Measure how far apart two registers are, in semitones: the medians of their log F0.

    None where so little of one is voiced that the tracker must have lost the voice, in noise or hum.
    """
    if min((some > 0).mean() for some in (one, other)) < _LEAST_VOICED:
        return None
    medians = [np.median(np.log2(some[some > 0])) for some in (one, other)]
    return float(12 * abs(medians[0] - medians[1]))
