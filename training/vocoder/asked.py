"""Mels that an acoustic model makes: a vocoder is to say them all the same.

Conversions nobody has said. What the model makes of a recording in its own voice somebody has: from that mel the
recording's own sound is to come, as HiFi-GAN is fine-tuned on predicted mels (Kong, Kim, Bae 2020, arXiv 2010.05646,
section 4.4).
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.training import held_back, level
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.mel import material
from voxrelay.training.mel.batches import Batches, Source, Told, converted, stack
from voxrelay.training.mel.config import Doubt, MelConfig, MelPhase
from voxrelay.training.mel.listening import Lite
from voxrelay.training.spectra import MARGIN
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.workers.mel import networks

CONTEXT = 24  # mel frames before and after, which the acoustic model hears and the vocoder does not
_CERTAIN = Doubt(content=0, voice=0, register=0, loudness=0, timbre=0, subbands=0, warp=(1, 1))

Pairs = tuple[torch.Tensor, torch.Tensor]  # float32 [size, 80, frames], and sound [size, 256 * frames + 768]


class Asked:
    """Draws mels that an acoustic model makes for the speakers of a cache: a function of seed and step alone.

    Args:
        cache: recordings at 16 kHz.
        sound: the same recordings at 22.05 kHz.
        acoustic: exported weights of gr0.
        encoder: weights of the contentvec-lite that it was trained on.
        config: of the vocoder, whose speakers, shares and seed are meant.

    Raises:
        BadConfigError: there are no such weights in these files.

    """

    def __init__(self, cache: Cache, sound: Cache, acoustic: Path, encoder: Path, config: VocoderConfig) -> None:
        self._network = networks.read(acoustic, "gr0")[0].eval()
        phase = MelPhase(name="asked", steps=1, learning_rate=1)
        crops = config.crops
        told = MelConfig(
            shape=self._network.shape, phases=(phase,), shares=crops.shares, exponent=crops.exponent, doubt=_CERTAIN
        )
        held = held_back.speakers(cache.clips, config.held_back)
        self._source = Source(cache, material.prepare(cache, Lite(encoder)), held, told)
        self._batches = Batches({self._source: 1.0}, config.seed)
        self._cache, self._sound, self._seed = cache, sound, config.seed
        self._same = dict(zip((clip.start for clip in cache.clips), sound.clips, strict=True))

    def batch(self, step: int, size: int, frames: int) -> torch.Tensor:
        """Ask for the conversions of a step, float32 [size, 80, frames]."""
        return self._made(converted(self._batches.batch(step, size, frames + 2 * CONTEXT)))

    def predicted(self, step: int, size: int, frames: int) -> Pairs:
        """Ask for recordings in their own voices: mels, and the sound that was recorded."""
        random = np.random.default_rng([self._seed, step, size])
        return self._pairs(random, [self._source.place(random, frames + 2 * CONTEXT) for _ in range(size)], frames)

    def excerpts(self, held: Collection[str], most: int) -> list[Pairs]:
        """Ask for the middle frames of the longest clip of each of some speakers, in their own voices."""
        found = []
        for clip in held_back.longest(self._cache.clips, held):
            whole = clip.length * clock.SOUND_RATE // (clock.RATE * MEL.hop) - 1  # the last may be cut short
            frames = min(most, whole - 2 * CONTEXT)
            if frames > CONTEXT:  # otherwise too little is left of it to compare
                random = np.random.default_rng(self._seed)
                found.append(self._pairs(random, [(clip, (whole - frames) // 2 - CONTEXT)], frames))
        return found

    def _pairs(self, random: np.random.Generator, places: list[tuple[Clip, int]], frames: int) -> Pairs:
        told = [self._source.tell(random, clip, start, frames + 2 * CONTEXT) for clip, start in places]
        recorded = [self._recorded(clip, start + CONTEXT, frames) for clip, start in places]
        return self._made(stack(told)), torch.from_numpy(np.stack(recorded))

    @torch.no_grad()
    def _made(self, told: Told) -> torch.Tensor:
        return told.said(self._network)[:, CONTEXT:-CONTEXT].transpose(1, 2).contiguous()

    def _recorded(self, clip: Clip, start: int, frames: int) -> NDArray[np.float32]:
        """Return the sound of mel frames of a clip at the common level, with the context that its mel needs."""
        begin, end = start * MEL.hop - MARGIN, (start + frames) * MEL.hop + MARGIN
        sound = self._sound.floats(self._same[clip.start])
        brought = sound[begin:end] * level.gain(self._cache.floats(clip))
        return np.pad(brought, (0, max(end - len(sound), 0)))
