"""What every content model takes: clips of equal length."""

from collections.abc import Sequence

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Floats


def check(clip: Audio, model: str) -> None:
    """Refuse what a model cannot hear.

    Raises:
        BadInputError: a clip at another rate than 16 kHz, or shorter than one frame.

    """
    if clip.rate != clock.RATE or len(clip.data) < clock.CONTENT_HOP:
        what = f"a clip of {len(clip.data)} samples at {clip.rate} Hz"
        raise BadInputError(what, hint=f"{model} takes {clock.CONTENT_HOP} samples or more at {clock.RATE} Hz")


def stack(clips: Sequence[Audio], model: str) -> Floats:
    """Lay checked clips of equal length on each other: float32 [clips, N] at 16 kHz."""
    for clip in clips:
        check(clip, model)
    return np.stack([clip.data for clip in clips]).astype(np.float32)
