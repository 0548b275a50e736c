"""The timbre of a voice: the mean spectrum of its speech, which an embedding does not tell exactly."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from voxrelay.relay.tensors import Floats


def loud(mel: torch.Tensor) -> torch.Tensor:
    """Find the louder frames of log-mel spectrograms, [..., frames, bands]: bool [..., frames].

    Louder than the mean of all: pauses say more of a room than of a voice.
    """
    levels = mel.mean(dim=-1)
    return levels >= levels.mean(dim=-1, keepdim=True)


def timbre(mels: Sequence[NDArray[np.floating]]) -> Floats:
    """Average the loud frames of log-mel spectrograms, each [frames, bands]: float32 [bands]."""
    frames = torch.from_numpy(np.concatenate(mels).astype(np.float32))
    mean: Floats = frames[loud(frames)].mean(dim=0).numpy()
    return mean
