"""Every hyper-parameter of a vocoder's training."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.relay.tensors import MEL
from voxrelay.training.crops import CropConfig, Share
from voxrelay.training.phases import Count, Course, Phase, Positive, Weight


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Weights:
    """What the generator's losses weigh; all zero: it is not trained.

    Args:
        mel: L1 of the log-mel spectrogram.
        stft: multi-resolution STFT loss.
        feature: feature matching.
        adversarial: what the discriminators say.
        asked: of conversions, L1 of the log-mel spectrogram from the one that was asked for.

    """

    mel: Weight = 0.0
    stft: Weight = 0.0
    feature: Weight = 0.0
    adversarial: Weight = 0.0
    asked: Weight = 0.0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class VocoderPhase(Phase):
    """A stretch of training.

    Args:
        batch: crops in a step.
        crop: samples at 22.05 kHz, a multiple of the mel's hop. Shorter ones would leave the discriminators
            images of two columns, from which convolutions in bfloat16 read past the end on CPUs with AMX
            (oneDNN of torch 2.13).
        weights: of the generator's losses.
        discriminate: whether the discriminators are trained.
        predicted: crops in a step beside the others, whose mels an acoustic model makes of what is said in them: the
            vocoder hears these and is to make the sound that was recorded.
        asked: conversions in a step beside the crops, two at least: mels that an acoustic model asks for, and that
            nobody has said. Discriminators judge them too; there is no sound to compare them with.

    """

    batch: Count
    crop: Annotated[int, Field(gt=4 * MEL.fft, multiple_of=MEL.hop)]
    weights: Weights = Weights()
    discriminate: bool = False
    predicted: Annotated[int, Field(ge=0)] = 0
    asked: Literal[0] | Annotated[int, Field(ge=2)] = 0

    @property
    def generates(self) -> bool:
        """Whether the generator is trained."""
        return any(weight > 0 for weight in asdict(self.weights).values())

    @property
    def acoustic(self) -> bool:
        """Whether it has mels that an acoustic model makes."""
        return self.predicted > 0 or self.asked > 0

    @property
    def judged(self) -> bool:
        """Whether the generator's loss asks the discriminators."""
        return self.weights.feature > 0 or self.weights.adversarial > 0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class VocoderConfig(Course):
    """How a vocoder is trained.

    Args:
        variant: of the generator.
        phases: in turn.
        crops: how crops are drawn.
        betas: of AdamW.
        clip: largest norm of a gradient.
        periods: samples, of the period discriminators.
        period_channels: of their layers.
        resolutions: transform, hop and window of the resolution discriminators, samples.
        resolution_channels: of their layers.

    """

    variant: Literal["v1", "v2", "v3"] = "v3"
    phases: Annotated[tuple[VocoderPhase, ...], Field(min_length=1)]
    crops: CropConfig = CropConfig()
    betas: tuple[Share, Share] = (0.8, 0.99)
    clip: Positive = 1000.0
    periods: tuple[Count, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[Count, ...] = (8, 32, 128, 256, 256)
    resolutions: tuple[tuple[Count, Count, Count], ...] = ((512, 128, 512), (1024, 256, 1024), (2048, 512, 2048))
    resolution_channels: Count = 16
