"""HiFi-GAN with official or own weights: see :mod:`~voxrelay.workers.vocoder.generator`."""

from collections.abc import Sequence

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.weights import find, load_torch
from voxrelay.workers.vocoder.generator import VARIANTS, Generator, fold_weight_norm


class HifiGan:
    """Implements :class:`~voxrelay.workers.runtime.model.VocoderModel` on the CPU."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator.eval()

    @torch.inference_mode()
    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        """Turn mels of equal length, float32 [frames, 80], into float32 [256 * frames] at 22,050 Hz.

        Raises:
            BadInputError: a mel of another definition than :data:`~voxrelay.relay.tensors.MEL`.

        """
        for mel in mels:
            if mel.spec != MEL.fingerprint or mel.data.shape[1] != MEL.bands:
                what = f"a mel of {mel.spec} with {mel.data.shape[1]} bands"
                raise BadInputError(what, hint=f"hifigan takes {MEL.fingerprint}")
        batch = torch.from_numpy(np.stack([mel.data.T for mel in mels])).float()
        return [Audio(sound, clock.SOUND_RATE) for sound in self._generator(batch).numpy()]


def load(weights: str, variant: str = "v3", sha256: str = "") -> HifiGan:
    """Load a generator.

    Args:
        weights: ``{'generator': state_dict}``, with weight norm or folded; absolute or in the model folder.
        variant: ``v1``, ``v2`` or ``v3``.
        sha256: what the file's hash must be; empty: any.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: no such variant, or the file holds no such generator.

    """
    hint = f"allowed: {', '.join(VARIANTS)}"
    if variant not in VARIANTS:
        raise BadConfigError(f"no variant {variant!r}", where="hifigan", hint=hint)
    path = find(weights)
    state = load_torch(path, sha256=sha256).get("generator")
    if not isinstance(state, dict):
        raise BadConfigError("no 'generator' in this checkpoint", where=str(path))
    generator = Generator(VARIANTS[variant])
    try:
        generator.load_state_dict(fold_weight_norm(state))
    except (RuntimeError, KeyError) as error:
        raise BadConfigError(f"not the weights of variant {variant!r}", where=str(path), hint=hint) from error
    return HifiGan(generator)
