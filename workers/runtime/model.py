"""What a model of each stage must offer.

A model is one file in its stage's folder, named as in ``queues.yml`` (``griffin-lim`` is
``griffin_lim.py``), with a function ``load(**options)`` that returns an object of the stage's
protocol below; the options are those of its line in ``queues.yml``. A ``load`` with a parameter ``placement`` is
told where its pool computes: see :mod:`~voxrelay.workers.runtime.placement`. Every method takes a batch
of items of equal length, one at least, and returns as many results, in order: for each item what
it gives for that item alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from voxrelay.relay.tensors import Audio, Content, Floats, Mel, Melody, Voice


@dataclass(frozen=True)
class Clip:
    """One window of a reference recording, as the stages prepared it."""

    content: Content
    mel: Mel
    weight: float


@dataclass(frozen=True)
class Target:
    """The voice to convert to.

    ``id`` is a hash of all that it consists of, fit as a cache key; ``clips`` fetches the
    prepared reference windows and ``sounds`` their sound at 16 kHz, which only some models look at.
    ``transpose``: semitones that the source's melody is to be moved by; None: into this voice's register.
    ``left``: whose voice the source is in, a unit vector as ``voice`` holds it, float32; None: nobody knows.
    """

    id: str
    voice: Voice
    clips: Callable[[], list[Clip]]
    sounds: Callable[[], list[Audio]] = list
    transpose: float | None = None
    left: Floats | None = None


class SpeakerModel(Protocol):
    """Speaker encoder."""

    def embed(self, clips: Sequence[Audio]) -> list[Voice]:
        """Embed 16 kHz mono clips; each voice has unit norm and says how much speech it heard."""
        ...


class ContentModel(Protocol):
    """Content encoder."""

    def encode(self, clips: Sequence[Audio]) -> list[Content]:
        """Encode 16 kHz mono clips of N samples into exactly N/320 frames each."""
        ...


@runtime_checkable
class SurveyingContentModel(Protocol):
    """Content encoder that must know the recording as a whole, so that nothing jumps at a window's edge."""

    def survey(self, clips: Sequence[Audio]) -> list[float]:
        """Measure what is global to a recording, from 16 kHz mono clips spread over it."""
        ...

    def encode_surveyed(self, clips: Sequence[Audio], surveys: Sequence[list[float]]) -> list[Content]:
        """Encode as :meth:`ContentModel.encode`, each clip with its recording's survey."""
        ...


class MelModel(Protocol):
    """Acoustic model."""

    def convert(self, contents: Sequence[Content], targets: Sequence[Target]) -> list[Mel]:
        """Make ``clock.mel_frames(len(content))`` mel frames of each content in its target's voice."""
        ...


@runtime_checkable
class FollowingMelModel(Protocol):
    """Acoustic model that follows how the source says it: its pitch, its loudness."""

    def survey(self, clips: Sequence[Audio]) -> list[float]:
        """Measure what is global to a recording, from 16 kHz mono clips spread over it."""
        ...

    def melody(self, sound: Audio, survey: list[float], target: Target) -> Melody:
        """Measure the pitch of a window's sound, and say where it goes; may run beside :meth:`follow`."""
        ...

    def follow(
        self,
        contents: Sequence[Content],
        targets: Sequence[Target],
        sounds: Sequence[Audio],
        surveys: Sequence[list[float]],
        melodies: Sequence[Melody],
    ) -> list[Mel]:
        """Convert as :meth:`MelModel.convert`, each content with its sound, its recording's survey and its melody."""
        ...


class VocoderModel(Protocol):
    """Vocoder."""

    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        """Make ``256 * frames`` samples at 22.05 kHz of each mel; another mel definition is refused."""
        ...


@runtime_checkable
class ExcitedVocoderModel(VocoderModel, Protocol):
    """Vocoder that the source's waveform can be lent to."""

    def vocode_excited(self, mels: Sequence[Mel], excitations: Sequence[Audio]) -> list[Audio]:
        """Vocode as :meth:`VocoderModel.vocode`; an excitation is as long as the sound, the source at another pitch."""
        ...
