"""Models of no computation that make tensors of the real sizes: what is left is the queue.

One file for all stages; with ``seconds`` a window waits so long for a device that is not there.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Audio, Content, Mel, Voice

FEATURES = 768  # as ContentVec has
_FRAMES = 4096
_NOISE = np.random.default_rng(0).standard_normal((_FRAMES, FEATURES)).astype(np.float16)  # as networks give it
_SOUND = 0.1 * np.random.default_rng(1).standard_normal(_FRAMES * MEL.hop // 8).astype(np.float32)


class Simulated:
    """Implements all protocols of ``workers/runtime/model.py``; a batch waits as long as a window."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def embed(self, clips: Sequence[Audio]) -> list[Voice]:
        """Embed."""
        time.sleep(self.seconds)
        return [
            Voice(np.full(256, 1 / 16, dtype=np.float32), model="simulated", seconds=clip.seconds) for clip in clips
        ]

    def encode(self, clips: Sequence[Audio]) -> list[Content]:
        """Encode."""
        time.sleep(self.seconds)
        return [Content(_NOISE[: clock.content_frames(len(clip.data))], model="simulated") for clip in clips]

    def convert(self, contents: Sequence[Content], targets: Sequence[Any]) -> list[Mel]:  # noqa: ARG002
        """Convert."""
        time.sleep(self.seconds)
        return [Mel(np.ascontiguousarray(_NOISE[: clock.mel_frames(len(c.data)), : MEL.bands])) for c in contents]

    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        """Vocode."""
        time.sleep(self.seconds)
        return [Audio(_SOUND[: MEL.hop * len(mel.data)], rate=clock.SOUND_RATE) for mel in mels]


def load(stage: str, seconds: float = 0.0) -> Simulated:  # noqa: ARG001 - its line in queues.yml says which it is
    """Make one."""
    return Simulated(seconds)
