"""How loud each of a few bands is by time: enough to be understood by, too little to know a voice by.

Speech of which nothing is left but the loudness of four bands is understood almost entirely (Shannon, Zeng, Kamath,
Wygonski and Ekelid, "Speech recognition with primarily temporal cues", Science 270, 1995). The mean over
a recording is taken off: it is its speaker's.
"""

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.tensors import Floats


def subbands(mel: NDArray[np.floating], count: int) -> Floats:
    """Average so many groups of neighbouring bands of log-mel spectra: [..., 80] to float32 [..., count]."""
    edges = np.linspace(0, mel.shape[-1], count + 1).round().astype(np.intp)
    sums = np.add.reduceat(mel.astype(np.float32), edges[:-1], axis=-1)
    means: Floats = (sums / np.diff(edges)).astype(np.float32)
    return means
