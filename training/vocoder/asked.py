"""Mels that an acoustic model asks for: nobody has said them, and a vocoder is to say them all the same."""

from pathlib import Path

import torch

from voxrelay.training import held_back
from voxrelay.training.cache import Cache
from voxrelay.training.mel import material
from voxrelay.training.mel.batches import Batches, Source
from voxrelay.training.mel.config import Doubt, MelConfig, MelPhase
from voxrelay.training.mel.learning import converted
from voxrelay.training.mel.listening import Lite
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.workers.mel import networks

_CONTEXT = 24  # mel frames before and after, which the acoustic model hears and the vocoder does not
_CERTAIN = Doubt(content=0, voice=0, register=0, loudness=0, timbre=0, subbands=0, warp=(1, 1))


class Asked:
    """Draws conversions of the speakers of a cache into each other's voices: a function of seed and step alone.

    Args:
        cache: recordings at 16 kHz.
        acoustic: exported weights of gr0.
        encoder: weights of the contentvec-lite that it was trained on.
        config: of the vocoder, whose speakers, shares and seed are meant.

    Raises:
        BadConfigError: there are no such weights in these files.

    """

    def __init__(self, cache: Cache, acoustic: Path, encoder: Path, config: VocoderConfig) -> None:
        self._network = networks.read(acoustic, "gr0")[0].eval()
        phase = MelPhase(name="asked", steps=1, learning_rate=1)
        crops = config.crops
        told = MelConfig(
            shape=self._network.shape, phases=(phase,), shares=crops.shares, exponent=crops.exponent, doubt=_CERTAIN
        )
        held = held_back.speakers(cache.clips, config.held_back)
        self._batches = Batches({Source(cache, material.prepare(cache, Lite(encoder)), held, told): 1.0}, config.seed)

    @torch.no_grad()
    def batch(self, step: int, size: int, frames: int) -> torch.Tensor:
        """Ask for the conversions of a step, float32 [size, 80, frames]."""
        told = converted(self._batches.batch(step, size, frames + 2 * _CONTEXT))
        mel = self._network(told.content, told.prosody, told.voice, told.register, told.timbre)
        return mel[:, _CONTEXT:-_CONTEXT].transpose(1, 2).contiguous()
