"""What a stage does with one window or reference: read its inputs, run the model, name the result."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay.config import Stage as StageName
from voxrelay.relay.job import Manifest, Part
from voxrelay.relay.tensors import Audio, Tensor

if TYPE_CHECKING:
    from voxrelay.workers.runtime.inputs import Inputs


@dataclass(frozen=True)
class Unit:
    """One window or reference of a job."""

    manifest: Manifest
    part: Part
    index: int

    def output_key(self, stage: StageName) -> str:
        """Return the key of a stage's output."""
        return self.manifest.output_key(self.part, self.index, stage)

    def shared(self, stage: StageName) -> bool:
        """Whether a stage's output belongs to the voice, and so to other jobs too."""
        return self.part == "reference" or stage == "speaker"

    def __str__(self) -> str:
        return f"{self.manifest.id} {self.part} {self.index}"


class Stage(Protocol):
    """One stage. ``Any`` stands for its own model protocol and item type."""

    def read(self, unit: Unit, inputs: "Inputs", model: Any) -> Any:  # noqa: ANN401
        """Fetch and decode the inputs of a unit; runs beside the computation of others."""
        ...

    def bucket(self, item: Any) -> Hashable:  # noqa: ANN401
        """Return what items must have in common to be computed together: their length."""
        ...

    def run(self, model: Any, part: Part, items: Sequence[Any]) -> Sequence[Tensor]:  # noqa: ANN401
        """Compute the outputs of items of one part and bucket at once, in order."""
        ...

    def warm(self, model: Any) -> None:  # noqa: ANN401
        """Run the model once, so that the first window does not wait for compilation."""
        ...


@runtime_checkable
class SurveyingStage(Stage, Protocol):
    """A stage that measures what later ones need to know of a recording as a whole."""

    def survey(self, unit: Unit, inputs: "Inputs", model: Any) -> None:  # noqa: ANN401
        """Measure it, once for a recording; called of every unit, one whose output is there already too."""
        ...


def noise() -> Audio:
    """Make a second of quiet noise at 16 kHz, to warm a model with."""
    samples = np.random.default_rng(0).standard_normal(clock.RATE).astype(np.float32)
    return Audio(0.1 * samples, rate=clock.RATE)
