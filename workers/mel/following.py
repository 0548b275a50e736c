"""Acoustic models that follow how a recording was said: its content, melody and loudness, in another voice."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Content, Floats, Mel, Melody
from voxrelay.workers.mel.attention import lookup
from voxrelay.workers.mel.networks import VOICE, Network, to_mel_frames
from voxrelay.workers.mel.pitch import Prosody, Register, contour, loudness, register
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.mel.subbands import subbands
from voxrelay.workers.mel.timbre import timbre
from voxrelay.workers.runtime.model import Target
from voxrelay.workers.runtime.placement import Placement

_CACHED = 16  # targets
_DIGITS = 4  # after the point, of a natural logarithm
_SPREADS = (0.6, 1.6)  # how much livelier or flatter a target may make the melody


@dataclass(frozen=True)
class Nature:
    """What the recordings of a target tell beside its embedding.

    ``keys`` and ``values``: of :func:`~voxrelay.workers.mel.attention.lookup`; no rows for a network that looks
    nothing up.
    """

    register: Register
    timbre: Floats
    keys: Floats
    values: Floats

    @property
    def spectral(self) -> tuple[Floats, Floats, Floats]:
        """How the voice sounds: its timbre, and what is looked up."""
        return self.timbre, self.keys, self.values


@dataclass(frozen=True)
class Manner:
    """In whose voice something is said, a unit vector, float32 [256]; of which nature; at which log F0, [frames]."""

    voice: Floats
    nature: Nature
    pitch: Floats


class Following:
    """Implements :class:`~voxrelay.workers.runtime.model.FollowingMelModel`.

    Args:
        network: one of :mod:`~voxrelay.workers.mel.networks`.
        content: name of the content model that it was trained on.
        placement: where it computes.
        leave: how many times what lies between the source's voice and the target's the latter is moved on.
        differential: how much of a conversion, 0 to 1, is the source's own spectrum moved by what lies between what the
            network makes in the two voices.

    """

    def __init__(
        self, network: Network, content: str, placement: Placement, leave: float = 0.0, differential: float = 0.0
    ) -> None:
        self._generate, self._content, self._features = placement.place(network), content, network.shape.features
        self._relative, self._subbands = network.relative, network.shape.subbands
        self._attends, self._leave, self._differential = network.shape.attention > 0, leave, differential
        self._natures: OrderedDict[str, Nature] = OrderedDict()
        self._listening = threading.Lock()

    def survey(self, clips: Sequence[Audio]) -> list[float]:
        """Measure a recording by 16 kHz mono clips spread over it: median and spread of pitch, and the timbre."""
        own = _register(clips)
        return [own.median, own.spread, *(round(float(band), _DIGITS) for band in _timbre(clips))]

    def melody(self, sound: Audio, survey: list[float], target: Target) -> Melody:
        """Follow the pitch of a window, and say where it is to go.

        It is moved from the middle of the source's register to the middle of the target's, and scaled with
        their spreads; or moved by the semitones that the target names, and not scaled.
        """
        prosody, own = Prosody.of(sound), Register(*survey[:2])
        asked = np.exp(moved(prosody, own, self._goal(target, own)))
        return Melody(np.stack([prosody.hertz, asked], axis=1).astype(np.float32))

    def follow(
        self,
        contents: Sequence[Content],
        targets: Sequence[Target],
        sounds: Sequence[Audio],
        surveys: Sequence[list[float]],
        melodies: Sequence[Melody],
    ) -> list[Mel]:
        """Say contents as their sounds say them, on their melodies, each in its target's voice.

        Raises:
            BadInputError: content or voice of a model that the weights were not trained on.

        """
        for content, target in zip(contents, targets, strict=True):
            self._check(content, target)
        mels = [self._spectrum(sound) for sound in sounds]
        said = [self._said(*one) for one in zip(contents, sounds, mels, surveys, melodies, strict=True)]
        made = self._say(said, [self._asked(*one) for one in zip(targets, surveys, melodies, strict=True)])
        known = [i for i, target in enumerate(targets) if target.source is not None and self._differential]
        if known:
            own = self._say([said[i] for i in known], [self._own(targets[i], surveys[i], melodies[i]) for i in known])
            made[known] += np.float32(self._differential) * (np.stack([mels[i] for i in known]) - own)
        return [Mel(mel) for mel in made.astype(np.float16)]

    def _check(self, content: Content, target: Target) -> None:
        if content.model != self._content or content.data.shape[1] != self._features:
            what = f"content of {content.model} with {content.data.shape[1]} features"
            hint = f"these weights were trained on {self._content} with {self._features}: --content {self._content}"
            raise BadInputError(what, hint=hint)
        if {target.voice.data.shape, _source(target).shape} != {(VOICE,)}:
            raise BadInputError(f"a voice of {target.voice.model}", hint="it takes those of resemblyzer")

    def _spectrum(self, sound: Audio) -> Floats:
        """Return the log-mel spectrogram of whole content frames of a sound, if anything asks for it."""
        frames = clock.content_frames(len(sound.data))
        if not self._subbands and not self._differential:
            return np.zeros((clock.mel_frames(frames), 0), dtype=np.float32)
        return log_mel(Audio(sound.data[: frames * clock.CONTENT_HOP], sound.rate)).data.astype(np.float32)

    def _said(
        self, content: Content, sound: Audio, mel: Floats, survey: Sequence[float], melody: Melody
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tell what is the same whoever says it: [frames, features + 2] and [mel frames, subbands]."""
        how = np.stack([melody.data[:, 0] > 0, loudness(sound)], axis=1).astype(np.float32)
        rows = np.concatenate([content.data.astype(np.float32), how], axis=1)
        if not self._subbands:
            return torch.from_numpy(rows), torch.from_numpy(mel[:, :0])
        parts = subbands(mel, self._subbands) - subbands(np.array(survey[2:], dtype=np.float32), self._subbands)
        return torch.from_numpy(rows), torch.from_numpy(parts)

    def _asked(self, target: Target, survey: Sequence[float], melody: Melody) -> Manner:
        """Tell how it is to be said."""
        nature, goal = self._nature(target), self._goal(target, Register(*survey[:2]))
        left = target.voice.data + np.float32(target.similarity) * (_source(target) - target.voice.data)
        voice = beyond(np.asarray(target.voice.data, dtype=np.float32), left, self._leave)
        told = nature if self._relative else replace(nature, register=goal)
        return Manner(voice, told, np.log(melody.data[:, 1]))

    def _own(self, target: Target, survey: Sequence[float], melody: Melody) -> Manner:
        """Tell how the source said it; what is looked up is the target's, so that its errors are found as well."""
        timbre = np.array(survey[2:], dtype=np.float32)
        nature = replace(self._nature(target), register=Register(*survey[:2]), timbre=timbre)
        return Manner(_source(target), nature, contour(melody.data[:, 0]))

    def _say(self, said: Sequence[tuple[torch.Tensor, torch.Tensor]], manners: Sequence[Manner]) -> Floats:
        """Let the network say things of one length, float32 [batch, mel frames, 80]."""
        rows, parts = (torch.stack(column) for column in zip(*said, strict=True))
        pitch = torch.from_numpy(np.stack([manner.pitch for manner in manners])).float()
        frames = to_mel_frames(torch.cat([rows, pitch[..., None]], dim=-1))
        content, voiced, loud, pitch = frames.split((self._features, 1, 1, 1), dim=-1)
        lie = torch.tensor([[manner.nature.register.median, manner.nature.register.spread] for manner in manners])
        voices = torch.from_numpy(np.stack([manner.voice for manner in manners]))
        spectral = zip(*(manner.nature.spectral for manner in manners), strict=True)
        whose = [torch.from_numpy(np.stack(column)) for column in spectral]
        how = torch.cat([pitch, voiced, loud, parts], dim=-1)
        made: Floats = self._generate(content, how, voices, lie, *whose).numpy()
        return made

    def _goal(self, target: Target, own: Register) -> Register:
        """Return the register that the melody is moved to."""
        if target.transpose is None:
            return self._nature(target).register
        return Register(own.median + target.transpose * float(np.log(2)) / 12, own.spread)

    def _nature(self, target: Target) -> Nature:
        """Listen to the target's recordings, unless it is remembered."""
        with self._listening:  # the second window of a job waits, it does not listen to the same once more
            found = self._natures.pop(target.id, None) or self._listened(target)
            self._natures[target.id] = found
            if len(self._natures) > _CACHED:
                self._natures.popitem(last=False)
        return found

    def _listened(self, target: Target) -> Nature:
        sounds, nothing = target.sounds(), np.zeros((0, 0), np.float32)
        keys, values = lookup(target.clips()) if self._attends else (nothing, nothing)
        return Nature(_register(sounds), _timbre(sounds), keys, values)


def moved(prosody: Prosody, own: Register, goal: Register) -> Floats:
    """Move a melody from one register to another: log F0 without gaps, float32 [frames]."""
    scale = np.clip(goal.spread / own.spread, *_SPREADS)
    pitch: Floats = ((contour(prosody.hertz) - own.median) * scale + goal.median).astype(np.float32)
    return pitch


def beyond(voice: Floats, left: Floats, times: float) -> Floats:
    """Move a voice on, away from the one that is left, by so many times what lies between the two.

    A network says less of a voice than it is told, and keeps some of the source's; guidance, as Ho and Salimans have it
    for diffusion (arXiv 2207.12598), by what it is told instead of what it makes. All are unit vectors, [256], and
    Resemblyzer's have no negative numbers.
    """
    if not times:
        return voice
    on = (voice + np.float32(times) * (voice - left)).clip(min=0)
    moved_on: Floats = (on / np.linalg.norm(on)).astype(np.float32)
    return moved_on


def _source(target: Target) -> Floats:
    """Return whose voice the source is in; where nobody knows, the target's own."""
    return np.asarray(target.voice.data if target.source is None else target.source, dtype=np.float32)


def _timbre(clips: Sequence[Audio]) -> Floats:
    return timbre([log_mel(clip).data for clip in clips])


def _register(clips: Sequence[Audio]) -> Register:
    return register([Prosody.of(clip).hertz for clip in clips])
