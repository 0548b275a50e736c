"""The timbre of a voice: the mean spectrum of its speech, which an embedding does not tell exactly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.tensors import Floats


def timbre(mels: Sequence[NDArray[np.floating]]) -> Floats:
    """Average the loud half of log-mel spectrograms, each [frames, bands]: float32 [bands].

    Loud is what lies above the mean of all frames: pauses say more of a room than of a voice.
    """
    frames = np.concatenate(mels).astype(np.float32)
    levels = frames.mean(axis=1)
    mean: Floats = frames[levels >= levels.mean()].mean(axis=0)
    return mean
