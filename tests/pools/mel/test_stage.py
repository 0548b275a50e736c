"""The mel stage gives its model all utterances of a batch at once."""

from collections.abc import Sequence

import numpy as np
import pytest

from voxrelay.relay import clock
from voxrelay.relay.errors import StageError
from voxrelay.relay.tensors import Audio, Content, Mel, Voice
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.mel.stage import STAGE, Utterance, _left
from voxrelay.workers.runtime.model import Clip, Target

VOICE = Voice(np.ones(1, dtype=np.float32), model="any", seconds=1.0)


class Counting:
    """A mel model that keeps how much it was given at a time; a mel is the level of its content."""

    def __init__(self, missing: int = 0) -> None:
        self.batches: list[list[str]] = []
        self.missing = missing

    def convert(self, contents: Sequence[Content], targets: Sequence[Target]) -> list[Mel]:
        """Be the model."""
        self.batches.append([target.id for target in targets])
        frames = [clock.mel_frames(len(content.data)) - self.missing for content in contents]
        return [Mel(np.full((n, 80), c.data[0, 0], np.float32)) for n, c in zip(frames, contents, strict=True)]


def clips() -> list[Clip]:
    return []


def utterance(level: float, features: int = 13) -> Utterance:
    content = Content(np.full((20, features), level, np.float32), model="toy")
    return Utterance(content, Target(f"voice {level:.0f}", VOICE, clips))


def test_utterances_are_converted_at_once_in_order() -> None:
    model = Counting()
    mels = STAGE.run(model, "window", [utterance(i) for i in range(8)])
    assert [mel.data[0, 0] for mel in mels] == list(range(8))
    assert model.batches == [[f"voice {i}" for i in range(8)]]


def test_references_are_analysed_in_order() -> None:
    sounds = [Audio(np.random.default_rng(i).standard_normal(6400).astype(np.float32), 16_000) for i in range(8)]
    for mel, sound in zip(STAGE.run(Counting(), "reference", sounds), sounds, strict=True):
        np.testing.assert_allclose(mel.data, log_mel(sound).data, atol=1e-4)


def test_frames_too_few_are_refused() -> None:
    with pytest.raises(StageError, match="34 mel frames for 20 of content, wanted 35"):
        STAGE.run(Counting(missing=1), "window", [utterance(0)])


def test_only_equal_shapes_share_a_bucket() -> None:
    assert STAGE.bucket(utterance(1)) == STAGE.bucket(utterance(2)) != STAGE.bucket(utterance(2, features=256))


def test_whoever_goes_a_part_of_the_way_leaves_but_a_part_of_the_source() -> None:
    voice, source = Voice(np.array([0.6, 0.8], np.float32), model="toy", seconds=1.0), [1.0, 0.0]
    np.testing.assert_allclose(_left(voice, source, 1.0), source)
    np.testing.assert_allclose(_left(voice, source, 0.25), [0.7, 0.6], rtol=1e-6)
    assert _left(voice, [1.0], 0.5).shape == (1,)  # for the model to refuse
