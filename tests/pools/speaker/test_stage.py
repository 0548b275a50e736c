"""The speaker stage gives its model all references of a batch at once, and a recording once."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Link, Manifest, Reference, Source, Span
from voxrelay.relay.tensors import Audio, Voice
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.stage import SurveyingStage, Unit
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


class Surveyed(Inputs):
    """Inputs of a recording of two windows, of which nothing was measured yet."""

    def __init__(self, *sounds: Audio, leave: float = 0.5) -> None:
        self.sounds, self.found = list(sounds), dict[str, list[float]]()
        loaded = configuration.load({})
        gr0 = loaded.model("mel", "gr0")
        models = {"gr0": gr0.model_copy(update={"options": {**gr0.options, "leave": leave}})}
        self.config = loaded.model_copy(update={"stages": {**loaded.stages, "mel": models}})
        self.unit = unit()

    def survey(self, name: str, measure: Callable[[list[Audio]], list[float]]) -> list[float]:
        """Measure."""
        return self.found.setdefault(name, measure(self.sounds))


def unit(*, part: str = "window", source: bool = True) -> Unit:
    manifest = Manifest(
        id="20250101-000000-0a1b2c3d",
        contract="",
        chain=[Link(stage="speaker", model="counting"), Link(stage="mel", model="gr0")],
        windows=[Span(start=0, length=320, keep_from=0, keep_to=320)],
        references=[Reference(digest="0" * 32, seconds=0.02, weight=1.0)],
        source=Source(name="any", rate=16_000, channels=1, seconds=0.02) if source else None,
    )
    return Unit(manifest, "window" if part == "window" else "reference", 0)


def test_who_speaks_a_recording_is_heard_in_all_that_is_surveyed_of_it() -> None:
    assert isinstance(STAGE, SurveyingStage)
    sounds = [Audio(np.array([first, 0.123456789], np.float32), 16_000) for first in (0.5, 0.25)]
    inputs, model = Surveyed(*sounds), Counting()
    STAGE.survey(unit(), inputs, model)
    assert inputs.found == {"speaker.counting": [0.5, 0.123457]}
    assert model.batches == [1]


def test_nobody_is_heard_of_references_without_a_recording_and_for_a_model_that_does_not_ask() -> None:
    inputs, silent = (Surveyed(Audio(np.ones(2, np.float32), 16_000), leave=leave) for leave in (0.5, 0.0))
    STAGE.survey(unit(), silent, Counting())
    assert silent.found == {}
    STAGE.survey(unit(part="reference"), inputs, Counting())
    inputs.unit = unit(source=False)
    STAGE.survey(inputs.unit, inputs, Counting())
    assert inputs.found == {}


def test_a_recording_in_which_nobody_speaks_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: Counting, clips: Sequence[Audio]) -> list[Voice]:
        raise BadInputError(f"{len(clips)} silent")

    monkeypatch.setattr(Counting, "embed", silent)
    inputs = Surveyed(Audio(np.zeros(2, np.float32), 16_000))
    STAGE.survey(unit(), inputs, Counting())
    assert inputs.found == {"speaker.counting": []}
