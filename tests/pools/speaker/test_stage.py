"""The speaker stage gives its model all references of a batch at once."""

from collections.abc import Sequence

import numpy as np

from voxrelay.relay.tensors import Audio, Voice
from voxrelay.workers.speaker.stage import STAGE, Blend


class Counting:
    """A speaker model that keeps how much it was given at a time; a voice is the clip's first two samples."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed(self, clips: Sequence[Audio]) -> list[Voice]:
        """Be the model."""
        self.batches.append(len(clips))
        return [Voice(clip.data[:2], model="counting", seconds=clip.seconds) for clip in clips]


def test_references_are_embedded_at_once_in_order() -> None:
    model = Counting()
    clips = [Audio(np.full(16_000, i, np.float32), 16_000) for i in range(8)]
    voices = STAGE.run(model, "reference", clips)
    assert [voice.data[0] for voice in voices] == list(range(8))
    assert model.batches == [8]


def test_blends_are_mixed_without_the_model() -> None:
    model = Counting()
    axes = [Voice(row, model="counting", seconds=1.0) for row in np.eye(2, dtype=np.float32)]
    blends = [Blend(axes, [1 - share, share]) for share in (0.0, 0.5, 1.0)]
    mixed = [voice.data for voice in STAGE.run(model, "window", blends)]
    np.testing.assert_allclose(mixed, [[1, 0], [0.5**0.5, 0.5**0.5], [0, 1]], atol=1e-6)
    assert model.batches == []


def test_only_equal_lengths_share_a_bucket() -> None:
    short, long = (Audio(np.zeros(count, np.float32), 16_000) for count in (320, 640))
    assert STAGE.bucket(short) == STAGE.bucket(Audio(np.ones(320, np.float32), 16_000)) != STAGE.bucket(long)
