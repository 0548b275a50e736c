"""Acoustic models that follow how a recording was said: its content, melody and loudness, in another voice."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Content, Floats, Mel, Melody
from voxrelay.workers.mel.attention import lookup
from voxrelay.workers.mel.networks import VOICE, Network, beyond, to_mel_frames
from voxrelay.workers.mel.pitch import Prosody, Register, loudness, register
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.mel.subbands import subbands
from voxrelay.workers.mel.timbre import timbre
from voxrelay.workers.runtime.model import Target
from voxrelay.workers.runtime.placement import Placement

_CACHED = 16  # targets
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


class Following:
    """Implements :class:`~voxrelay.workers.runtime.model.FollowingMelModel`.

    Args:
        network: one of :mod:`~voxrelay.workers.mel.networks`.
        content: name of the content model that it was trained on.
        placement: where it computes.
        leave: how many times what lies between the source's voice and the target's the latter is moved on.

    """

    def __init__(self, network: Network, content: str, placement: Placement, leave: float = 0.0) -> None:
        self._generate, self._content, self._features = placement.place(network), content, network.shape.features
        self._relative, self._subbands = network.relative, network.shape.subbands
        self._attends, self._leave = network.shape.attention > 0, leave
        self._natures: OrderedDict[str, Nature] = OrderedDict()
        self._listening = threading.Lock()

    def survey(self, clips: Sequence[Audio]) -> list[float]:
        """Measure a recording by 16 kHz mono clips spread over it: median and spread of pitch, means of sub-bands."""
        own, spectrum = _register(clips), _timbre(clips)
        return [own.median, own.spread, *map(float, subbands(spectrum, self._subbands))]

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
            if content.model != self._content or content.data.shape[1] != self._features:
                what = f"content of {content.model} with {content.data.shape[1]} features"
                hint = f"these weights were trained on {self._content} with {self._features}: --content {self._content}"
                raise BadInputError(what, hint=hint)
            if {target.voice.data.shape, _left(target).shape} != {(VOICE,)}:
                raise BadInputError(f"a voice of {target.voice.model}", hint="it takes those of resemblyzer")
        natures = [self._nature(target) for target in targets]
        registers = [self._goal(target, Register(*survey[:2])) for target, survey in zip(targets, surveys, strict=True)]
        prosody = [
            np.stack([np.log(melody.data[:, 1]), melody.data[:, 0] > 0, loudness(sound)], axis=1)
            for sound, melody in zip(sounds, melodies, strict=True)
        ]
        said = torch.from_numpy(np.stack([content.data for content in contents])).float()
        frames = to_mel_frames(torch.cat([said, torch.from_numpy(np.stack(prosody)).float()], dim=-1))
        parts = [self._parts(sound, survey[2:]) for sound, survey in zip(sounds, surveys, strict=True)]
        how = torch.cat([frames[..., -3:], torch.from_numpy(np.stack(parts))], dim=-1)
        voices = torch.from_numpy(np.stack([target.voice.data for target in targets])).float()
        voices = beyond(voices, torch.from_numpy(np.stack([_left(target) for target in targets])), self._leave)
        told = [own.register for own in natures] if self._relative else registers
        lie = torch.tensor([[own.median, own.spread] for own in told])
        whose = [torch.from_numpy(np.stack(part)) for part in zip(*(own.spectral for own in natures), strict=True)]
        mels = self._generate(frames[..., :-3], how, voices, lie, *whose)
        return [Mel(mel) for mel in mels.half().numpy()]

    def _parts(self, sound: Audio, means: Sequence[float]) -> Floats:
        """Measure sub-bands of a sound relative to their means in its recording, float32 [mel frames, subbands]."""
        frames = clock.content_frames(len(sound.data))
        if not self._subbands:
            return np.zeros((clock.mel_frames(frames), 0), dtype=np.float32)
        mel = log_mel(Audio(sound.data[: frames * clock.CONTENT_HOP], sound.rate)).data
        return subbands(mel, self._subbands) - np.array(means, dtype=np.float32)

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
    pitch: Floats = ((prosody.contour() - own.median) * scale + goal.median).astype(np.float32)
    return pitch


def _left(target: Target) -> Floats:
    """Return whose voice the source is in; where nobody knows, nobody is left: the target's own."""
    return np.asarray(target.voice.data if target.left is None else target.left, dtype=np.float32)


def _timbre(clips: Sequence[Audio]) -> Floats:
    return timbre([log_mel(clip).data for clip in clips])


def _register(clips: Sequence[Audio]) -> Register:
    return register([Prosody.of(clip).hertz for clip in clips])
