"""Every hyper-parameter of a content encoder's training."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.training.content.views import ViewConfig
from voxrelay.training.crops import Share
from voxrelay.training.phases import Count, Course, Phase, Positive, Weight
from voxrelay.workers.content.encoder import Shape


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Weights:
    """What the losses weigh.

    Args:
        phones: cross-entropy of frames against their phones.
        contrast: the same frame of two views against other frames (InfoNCE), and its distance.
        envelope: L1 of the bands of the undisguised spectral envelope, rebuilt from content and the speaker's name.
            The envelope, for whoever is to rebuild harmonics has to know the pitch.
        speaker: reversed gradient of a classifier of speakers.

    """

    phones: Weight = 1.0
    contrast: Weight = 0.5
    envelope: Weight = 0.3
    speaker: Weight = 0.0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class ContentPhase(Phase):
    """A stretch of training.

    Args:
        frames: content frames in a step, padding included; each is seen in two views.
        uniform: phones lie evenly over a recording, for want of anything that knows better.
        pseudo: whether recordings without text learn from what both views say together.
        weights: of the losses.

    """

    frames: Count = 4096
    uniform: bool = False
    pseudo: bool = False
    weights: Weights = Weights()


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class ContentConfig(Course):
    """How a content encoder is trained.

    Args:
        shape: of the encoder.
        phases: in turn.
        shares: of each corpus in the seconds of a batch, relative to each other; one without has 1.
        exponent: a speaker is drawn with the probability of their seconds to this power.
        longest: seconds; recordings without text are cut to it, those with a text must not exceed it.
        views: how recordings are disguised.
        prior: power of the phones' frequencies that their probabilities are divided by when frames are
            given to phones; less than 1 lets frequent ones take more and more (Zeyer et al. 2017).
        temperature: of the contrast.
        hidden: directions of content in which speakers differ most, removed from what is exported.
        betas: of AdamW.
        clip: largest norm of a gradient.

    """

    shape: Shape = Shape()
    phases: Annotated[tuple[ContentPhase, ...], Field(min_length=1)]
    shares: dict[str, float] = Field(default_factory=dict)
    exponent: float = 0.3
    longest: Positive = 17.0
    views: ViewConfig = ViewConfig()
    prior: Share = 1.0
    temperature: Positive = 0.1
    hidden: Annotated[int, Field(ge=0)] = 8
    betas: tuple[Share, Share] = (0.9, 0.98)
    clip: Positive = 5.0
