"""Vocoders that are a generator: a network from log-mel to sound."""

from collections.abc import Sequence

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.placement import Placement


class Neural:
    """Implements :class:`~voxrelay.workers.runtime.model.VocoderModel`.

    Args:
        name: of the model, for errors.
        generator: float32 [batch, 80, frames] to float [batch, 256 * frames] in -1..1.
        placement: where it computes.

    """

    def __init__(self, name: str, generator: torch.nn.Module, placement: Placement) -> None:
        self._name, self._generate = name, placement.place(generator)

    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        """Turn mels of equal length, float [frames, 80], into float32 [256 * frames] at 22,050 Hz.

        Raises:
            BadInputError: a mel of another definition than :data:`~voxrelay.relay.tensors.MEL`.

        """
        return self._vocode(mels)

    def _vocode(self, mels: Sequence[Mel], *more: torch.Tensor) -> list[Audio]:
        for mel in mels:
            if mel.spec != MEL.fingerprint or mel.data.shape[1] != MEL.bands:
                what = f"a mel of {mel.spec} with {mel.data.shape[1]} bands"
                raise BadInputError(what, hint=f"{self._name} takes {MEL.fingerprint}")
        batch = torch.from_numpy(np.stack([mel.data.T for mel in mels])).float()
        return [Audio(sound, clock.SOUND_RATE) for sound in self._generate(batch, *more).numpy()]


class ExcitedNeural(Neural):
    """Implements :class:`~voxrelay.workers.runtime.model.ExcitedVocoderModel`; its generator may take an excitation."""

    def vocode_excited(self, mels: Sequence[Mel], excitations: Sequence[Audio]) -> list[Audio]:
        """Vocode as :meth:`vocode`, each mel with the source at the asked pitch, float32 [256 * frames] at 22,050 Hz.

        Raises:
            BadInputError: a mel of another definition than :data:`~voxrelay.relay.tensors.MEL`.

        """
        return self._vocode(mels, torch.from_numpy(np.stack([sound.data for sound in excitations])))
