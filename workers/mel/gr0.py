"""gr0: an acoustic model in the style of GR0, zero-shot by a speaker embedding.

Wang, Su, Finkelstein and Jin, "GR0: Self-supervised global representation learning for zero-shot voice
conversion", ICASSP 2024: features that vary with time, and one global vector that modulates every
layer of a generator. Here the vector is a Resemblyzer embedding and the generator ConvNeXt blocks, trained by
``training/mel``; none of the published figures are claimed.
"""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Content, Mel
from voxrelay.workers.mel.modulated import VOICE, Modulated, read, to_mel_frames
from voxrelay.workers.mel.pitch import Prosody, Register, register
from voxrelay.workers.runtime.model import Target
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find

_CACHED = 16  # registers of targets
_SPREADS = (0.6, 1.6)  # how much livelier or flatter a target may make the melody


class Gr0:
    """Implements :class:`~voxrelay.workers.runtime.model.FollowingMelModel`."""

    def __init__(self, network: Modulated, content: str, placement: Placement) -> None:
        self._generate, self._content, self._features = placement.place(network), content, network.shape.features
        self._registers: OrderedDict[str, Register] = OrderedDict()

    def survey(self, clips: Sequence[Audio]) -> list[float]:
        """Measure the register of a recording, from 16 kHz mono clips spread over it."""
        found = _register(clips)
        return [found.median, found.spread]

    def follow(
        self,
        contents: Sequence[Content],
        targets: Sequence[Target],
        sounds: Sequence[Audio],
        surveys: Sequence[list[float]],
    ) -> list[Mel]:
        """Say contents as their sounds say them, each in its target's voice.

        The melody is moved from the middle of the source's register to the middle of the target's, and
        scaled with their spreads; or moved by the semitones that the target names, and not scaled.

        Raises:
            BadInputError: content or voice of a model that the weights were not trained on.

        """
        for content, target in zip(contents, targets, strict=True):
            if content.model != self._content or content.data.shape[1] != self._features:
                raise BadInputError(f"content of {content.model}", hint=f"these weights take {self._content}")
            if target.voice.data.shape != (VOICE,):
                raise BadInputError(f"a voice of {target.voice.model}", hint="gr0 takes those of resemblyzer")
        registers = [
            self._register(target) if target.transpose is None else _moved(Register(*survey), target.transpose)
            for target, survey in zip(targets, surveys, strict=True)
        ]
        prosody = [
            prosody_rows(Prosody.of(sound), Register(*survey), goal)
            for sound, survey, goal in zip(sounds, surveys, registers, strict=True)
        ]
        rows = np.stack([np.concatenate([c.data, p], axis=1) for c, p in zip(contents, prosody, strict=True)])
        frames = to_mel_frames(torch.from_numpy(rows).float())
        voices = torch.from_numpy(np.stack([target.voice.data for target in targets])).float()
        lie = torch.tensor([[goal.median, goal.spread] for goal in registers])
        mels = self._generate(frames[..., :-3], frames[..., -3:], voices, lie)
        return [Mel(mel) for mel in mels.numpy()]

    def _register(self, target: Target) -> Register:
        """Return the target's register, from the cache where it is there."""
        found = self._registers.pop(target.id, None) or _register(target.sounds())
        self._registers[target.id] = found
        if len(self._registers) > _CACHED:
            self._registers.popitem(last=False)
        return found


def prosody_rows(prosody: Prosody, own: Register, goal: Register) -> np.ndarray:
    """Return what the network is told of prosody moved from one register to another, float32 [frames, 3]."""
    scale = np.clip(goal.spread / own.spread, *_SPREADS)
    pitch = (prosody.contour() - own.median) * scale + goal.median
    return np.stack([pitch, prosody.hertz > 0, prosody.loudness], axis=1).astype(np.float32)


def _moved(own: Register, semitones: float) -> Register:
    return Register(own.median + semitones * float(np.log(2)) / 12, own.spread)


def _register(clips: Sequence[Audio]) -> Register:
    return register([Prosody.of(clip).hertz for clip in clips])


def load(weights: str = "gr0.safetensors", sha256: str = "", placement: Placement = CPU) -> Gr0:
    """Load an acoustic model.

    Args:
        weights: what ``vox train mel`` exported; absolute, in the model folder, or shipped.
        sha256: what the file's hash must be; empty: any.
        placement: where it computes.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: the file holds no such model.

    """
    return Gr0(*read(find(weights), sha256=sha256), placement)
