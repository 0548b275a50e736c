"""Crops of training sound, drawn group by group, and made more varied than they were.

A batch is a function of the seed and the step alone: a run that is resumed sees what an
uninterrupted one would have seen, and no random state needs to be kept.
"""

from collections.abc import Collection
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from voxrelay.relay import clock
from voxrelay.training.cache import Cache
from voxrelay.training.draw import Draw

_FULL_SCALE = 32_768
_GUARD = 256  # samples faded in and out around a crop, so that its spectrum has no seam
_PEAK = 0.95

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class CropConfig:
    """How crops are drawn.

    Args:
        shares: of each corpus in a batch, relative to each other; a corpus without one has 1.
        exponent: a speaker is drawn with the probability of their seconds to this power.
        resampled: share of crops that are resampled, which moves pitch and formants together.
        pitch: range of the factor by which pitch is moved, log-uniform.
        bandwidth: Hz; what lies above is removed, so that all crops end where recordings at
            16 kHz do. 11025 removes nothing.
        level: range of the gain in dB, uniform; peaks stay below 0.95.
        quiet: RMS below which a crop counts as silence.
        silence: share of the silent crops that are kept.

    """

    shares: dict[str, float] = Field(default_factory=dict)
    exponent: float = 0.3
    resampled: Share = 0.5
    pitch: Range = (0.7, 1.4)
    bandwidth: Annotated[int, Field(gt=0)] = 8000
    level: Range = (-12.0, 6.0)
    quiet: float = 0.005
    silence: Share = 0.25


class Crops:
    """Draws batches from a cache at 22.05 kHz, from every speaker but those ``without``."""

    def __init__(self, cache: Cache, without: Collection[str], config: CropConfig, seed: int) -> None:
        self._cache, self._config, self._seed = cache, config, seed
        self._draw = Draw(cache, without, config.shares, config.exponent)

    @property
    def speakers(self) -> frozenset[str]:
        """Everybody a batch may hold."""
        return self._draw.speakers

    def batch(self, step: int, size: int, length: int) -> NDArray[np.float32]:
        """Draw the batch of a step: float32 [size, length] at 22.05 kHz."""
        random = np.random.default_rng([self._seed, step])
        return np.stack([self._audible(random, length) for _ in range(size)])

    def _audible(self, random: np.random.Generator, length: int) -> NDArray[np.float32]:
        """Draw a crop, and again while it is silence that is not to be kept."""
        while True:
            crop = self._crop(random, length)
            if np.sqrt(np.mean(crop**2)) >= self._config.quiet or random.random() < self._config.silence:
                return crop

    def _crop(self, random: np.random.Generator, length: int) -> NDArray[np.float32]:
        config = self._config
        moved = random.random() < config.resampled
        factor = np.exp(random.uniform(*np.log(config.pitch))) if moved else 1.0
        taken = self._take(random, round((length + 2 * _GUARD) * factor))
        sound = resample(taken, length + 2 * _GUARD, config.bandwidth)[_GUARD:-_GUARD]
        gain = 10 ** (random.uniform(*config.level) / 20)
        return (sound * min(gain, _PEAK / max(float(np.abs(sound).max()), 1e-5))).astype(np.float32)

    def _take(self, random: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Take a stretch of a random clip of a random speaker; silence follows where the clip ends."""
        clip = self._draw.clip(random)
        start = random.integers(max(clip.length - samples, 0) + 1)
        stretch = self._cache.of(clip)[start : start + samples].astype(np.float64) / _FULL_SCALE
        return np.pad(stretch, (0, samples - len(stretch)))


def resample(sound: NDArray[np.float64], samples: int, bandwidth: int) -> NDArray[np.float64]:
    """Stretch or squeeze a crop to ``samples``, and end its spectrum at ``bandwidth`` Hz of 22.05 kHz.

    By its discrete spectrum: band-limited and exact for any ratio. Its first and last samples are faded.
    """
    fade = np.sin(np.linspace(0, np.pi / 2, _GUARD // 2)) ** 2
    ends = np.concatenate([fade, np.ones(len(sound) - 2 * len(fade)), fade[::-1]])
    spectrum = np.fft.rfft(sound * ends)[: int(bandwidth * samples / clock.SOUND_RATE) + 1]
    stretched: NDArray[np.float64] = np.fft.irfft(spectrum, samples) * (samples / len(sound))
    return stretched
