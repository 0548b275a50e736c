"""The level that the pools hear speech at, and bringing recordings to it."""

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock

COMMON_DB = -23.0  # as the producer brings it to the pools
_RANGE = 1000  # speech is what is within 30 dB of the loudest frame


def of(sound: NDArray[np.float32]) -> float:
    """Measure the level of speech at 16 kHz in dB below full scale, as the producer does."""
    whole = clock.content_frames(len(sound)) * clock.CONTENT_HOP
    powers = np.square(sound[:whole].reshape(-1, clock.CONTENT_HOP), dtype=np.float64).mean(axis=1)
    loud = powers[powers >= powers.max(initial=0) / _RANGE]
    return float(10 * np.log10((loud.mean() if len(loud) else 0) + 1e-12))


def gain(sound: NDArray[np.float32]) -> np.float32:
    """Return what brings speech at 16 kHz to the common level."""
    return np.float32(10 ** ((COMMON_DB - of(sound)) / 20))


def common(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring speech to the common level."""
    brought: NDArray[np.float32] = sound * gain(sound)
    return brought
