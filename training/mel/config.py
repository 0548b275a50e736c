"""Every hyper-parameter of an acoustic model's training."""

from dataclasses import asdict
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.training.crops import Range, Share
from voxrelay.training.phases import Count, Course, Phase, Positive, Weight
from voxrelay.training.virtual import VirtualConfig
from voxrelay.workers.mel import modulated
from voxrelay.workers.mel.networks import Shape


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Weights:
    """What the generator's losses weigh; all zero: it is not trained.

    Args:
        mel: L1 of the log-mel spectrogram, and of its differences in time and over bands.
        feature: feature matching.
        adversarial: what the discriminators say.
        voice: distance of the voice that Resemblyzer hears from the one that was asked for.
        content: distance of what the content encoder hears from what was to be said.
        timbre: of conversions, L1 of their mean spectrum from that of what was said, moved by what lies between the
            timbres of the two voices.
        bands: of conversions, L1 of the loudness of broad bands by time, and of its differences in time, from that of
            what was said, moved in the same way.
        likes: the same, moved by what lies between how the two voices say the like elsewhere; of networks with
            attention.
        reading: divergence (nats) of the sounds that a reader takes it for from those that it takes what was said for.
        person: of conversions, distance of the voice that an x-vector hears from the target's, and how much nearer to
            the source's it is than the target's own.

    """

    mel: Weight = 0.0
    feature: Weight = 0.0
    adversarial: Weight = 0.0
    voice: Weight = 0.0
    content: Weight = 0.0
    timbre: Weight = 0.0
    bands: Weight = 0.0
    likes: Weight = 0.0
    reading: Weight = 0.0
    person: Weight = 0.0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class MelPhase(Phase):
    """A stretch of training.

    Args:
        batch: crops in a step.
        crop: mel frames.
        weights: of the generator's losses.
        discriminate: whether the discriminators are trained.
        convert: whether every crop is said in another speaker's voice as well. There is no mel to compare that
            with: discriminators, voice and content judge it.
        lend: whether conversions are judged as they are heard where the vocoder is lent the source's waveform.

    """

    batch: Count = 24
    crop: Annotated[int, Field(ge=32)] = 128
    weights: Weights = Weights()
    discriminate: bool = False
    convert: bool = False
    lend: bool = False

    @property
    def generates(self) -> bool:
        """Whether the generator is trained."""
        return any(weight > 0 for weight in asdict(self.weights).values())

    @property
    def judged(self) -> bool:
        """Whether the generator's loss asks the discriminators."""
        return self.weights.feature > 0 or self.weights.adversarial > 0

    @property
    def heard(self) -> bool:
        """Whether the generator's loss asks the frozen listeners."""
        return self.weights.voice > 0 or self.weights.content > 0


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class Doubt:
    """How much of what the network is told is made uncertain, so that it trusts no detail of it.

    Args:
        content: standard deviation of noise on content, whose own is 1.
        voice: largest length of noise on the unit vector of a voice.
        partials: range of how many stretches of 1.6 s a voice is the mean of.
        register: standard deviation of noise on the median of log F0.
        loudness: dB, standard deviation of an offset.
        timbre: standard deviation of noise on each band of a mean spectrum.
        subbands: standard deviation of an offset of each of the sub-bands, natural logarithm.
        warp: range of what frequencies are multiplied by before sub-bands are measured, as if another had said it.

    """

    content: Weight = 0.1
    voice: Weight = 0.4
    partials: tuple[Count, Count] = (1, 6)
    register: Weight = 0.03
    loudness: Weight = 1.5
    timbre: Weight = 0.1
    subbands: Weight = 0.3
    warp: Range = (0.82, 1.22)


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class MelConfig(Course):
    """How an acoustic model is trained.

    Args:
        shape: of the network, which says whether it is that of gr0 or of autovc-f0; its ``features`` become those
            of the content, whatever stands here.
        content: what names the content it is trained on; filled in when a run begins, and held to from then on.
        phases: in turn.
        shares: of each corpus in a batch, relative to each other; a corpus without one has 1.
        exponent: a speaker is drawn with the probability of their seconds to this power.
        virtual: voices that nobody has.
        doubt: what the network is told less exactly than it is known.
        betas: of AdamW.
        clip: largest norm of a gradient.
        discriminator_channels: of the first layer; the others have twice as many.

    """

    shape: Shape = modulated.Shape()
    content: str = ""
    phases: Annotated[tuple[MelPhase, ...], Field(min_length=1)]
    shares: dict[str, float] = Field(default_factory=dict)
    exponent: float = 0.3
    virtual: VirtualConfig = VirtualConfig()
    doubt: Doubt = Doubt()
    betas: tuple[Share, Share] = (0.8, 0.99)
    clip: Positive = 20.0
    discriminator_channels: Count = 24
