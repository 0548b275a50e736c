"""Every hyper-parameter of a vocoder's training."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.relay.tensors import MEL
from voxrelay.training.crops import CropConfig, Share

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Weights:
    """What the generator's losses weigh; all zero: it is not trained."""

    mel: Weight = 0.0
    stft: Weight = 0.0
    feature: Weight = 0.0
    adversarial: Weight = 0.0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Phase:
    """A stretch of training.

    Args:
        name: of the phase, and of the checkpoint kept at its end.
        steps: how many.
        batch: crops in a step.
        crop: samples at 22.05 kHz, a multiple of the mel's hop. Shorter ones would leave the discriminators
            images of two columns, from which convolutions in bfloat16 read past the end on CPUs with AMX
            (oneDNN of torch 2.13).
        learning_rate: at its height.
        warmup: steps over which the rate rises from zero.
        final: the rate at the phase's end, as a share of its height; a half cosine leads there.
        weights: of the generator's losses.
        discriminate: whether the discriminators are trained.

    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    steps: Count
    batch: Count
    crop: Annotated[int, Field(gt=4 * MEL.fft, multiple_of=MEL.hop)]
    learning_rate: Positive
    warmup: Annotated[int, Field(ge=0)] = 0
    final: Share = 1.0
    weights: Weights = Weights()
    discriminate: bool = False

    @property
    def generates(self) -> bool:
        """Whether the generator is trained."""
        return any(weight > 0 for weight in asdict(self.weights).values())

    @property
    def judged(self) -> bool:
        """Whether the generator's loss asks the discriminators."""
        return self.weights.feature > 0 or self.weights.adversarial > 0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class VocoderConfig:
    """How a vocoder is trained.

    Args:
        seed: of the discriminators' weights and of every batch.
        variant: of the generator.
        phases: in turn.
        crops: how crops are drawn.
        held_back: speakers of each corpus that are kept for selection.
        betas: of AdamW.
        decay: weight decay of AdamW.
        clip: largest norm of a gradient.
        average: weight of the past in the moving average of the generator.
        bf16: whether networks compute in bfloat16; losses and spectra never do.
        periods: samples, of the period discriminators.
        period_channels: of their layers.
        resolutions: transform, hop and window of the resolution discriminators, samples.
        resolution_channels: of their layers.
        log_every: steps between two records of the losses.
        validate_every: steps between two looks at the held-back speakers.
        checkpoint_minutes: between two checkpoints.

    """

    seed: int = 1
    variant: Literal["v1", "v2", "v3"] = "v3"
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    crops: CropConfig = CropConfig()
    held_back: dict[str, Count] = Field(default_factory=lambda: {"librispeech": 20, "speechocean": 8, "folder": 2})
    betas: tuple[Share, Share] = (0.8, 0.99)
    decay: Weight = 0.01
    clip: Positive = 1000.0
    average: Share = 0.999
    bf16: bool = True
    periods: tuple[Count, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[Count, ...] = (8, 32, 128, 256, 256)
    resolutions: tuple[tuple[Count, Count, Count], ...] = ((512, 128, 512), (1024, 256, 1024), (2048, 512, 2048))
    resolution_channels: Count = 16
    log_every: Count = 50
    validate_every: Count = 500
    checkpoint_minutes: Positive = 4.0

    @property
    def steps(self) -> int:
        """Count the steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """Return the phase a step falls in and the step the phase begins with."""
        begin = 0
        for phase in self.phases[:-1]:
            if step < begin + phase.steps:
                return phase, begin
            begin += phase.steps
        return self.phases[-1], begin
