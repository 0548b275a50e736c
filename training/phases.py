"""What every recipe's configuration has: phases with their learning rates, and how often things happen."""

import math
from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.training.crops import Share

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Phase:
    """A stretch of training.

    Args:
        name: of the phase, and of the checkpoint kept at its end.
        steps: how many.
        learning_rate: at its height.
        warmup: steps over which the rate rises from zero.
        final: the rate at the phase's end, as a share of its height; a half cosine leads there.

    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    steps: Count
    learning_rate: Positive
    warmup: Annotated[int, Field(ge=0)] = 0
    final: Share = 1.0

    def rate_at(self, step: int) -> float:
        """Return the learning rate at a step of the phase: a linear rise, then half a cosine."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        fall = self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return self.learning_rate * rise * fall


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Course:
    """How a run goes, whatever it trains.

    Args:
        seed: of new weights and of every batch.
        held_back: speakers of each corpus that are kept for selection.
        average: weight of the past in the moving average of what is exported.
        decay: weight decay of AdamW.
        bf16: whether networks compute in bfloat16; losses and spectra never do. None: where the processor has
            instructions for it. One that has not is several times slower than in float32.
        log_every: steps between two records of the losses.
        validate_every: steps between two looks at the held-back speakers.
        checkpoint_minutes: between two checkpoints.

    """

    seed: int = 1
    held_back: dict[str, Count] = Field(default_factory=lambda: {"librispeech": 20, "speechocean": 8, "folder": 2})
    average: Share = 0.999
    decay: Weight = 0.01
    bf16: bool | None = None
    log_every: Count = 50
    validate_every: Count = 500
    checkpoint_minutes: Positive = 4.0


P = TypeVar("P", bound=Phase)


def total(phases: Sequence[Phase]) -> int:
    """Count the steps of all phases."""
    return sum(phase.steps for phase in phases)


def at(phases: Sequence[P], step: int) -> tuple[P, int]:
    """Return the phase a step falls in and the step the phase begins with."""
    begin = 0
    for phase in phases[:-1]:
        if step < begin + phase.steps:
            return phase, begin
        begin += phase.steps
    return phases[-1], begin
