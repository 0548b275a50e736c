"""Filters of the mels that pass between acoustic models and vocoders."""

from functools import lru_cache

import librosa
import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.tensors import MEL


@lru_cache(maxsize=1)
def mel_filters() -> NDArray[np.float32]:
    """Slaney's mel filters, float32 [80, 513], as :data:`~voxrelay.relay.tensors.MEL` defines them."""
    filters: NDArray[np.float32] = librosa.filters.mel(
        sr=MEL.rate, n_fft=MEL.fft, n_mels=MEL.bands, fmin=MEL.low, fmax=MEL.high
    )
    return filters
