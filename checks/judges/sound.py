"""How judges hear: 16 kHz mono."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000
Samples = NDArray[np.float32]


def read(path: Path) -> Samples:
    """Read a mono recording, float32 [samples] at 16 kHz."""
    sound, rate = soundfile.read(path, dtype="float32")
    return np.asarray(soxr.resample(sound, rate, RATE), dtype=np.float32)


def at_least(sound: Samples, samples: int) -> Samples:
    """Repeat sound until it is long enough."""
    return np.tile(sound, -(-samples // len(sound)))[: max(samples, len(sound))]
