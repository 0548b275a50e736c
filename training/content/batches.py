"""Batches of whole recordings of like length, each in two disguises.

A batch is a function of the seed and the step alone, as those of :mod:`~voxrelay.training.crops`.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.content import phones
from voxrelay.training.content.config import ContentConfig
from voxrelay.training.content.phones import Words
from voxrelay.training.content.views import Views

_SHORTEST = 25  # content frames
_STEP = 32
_DRAWN = 160  # recordings, from which those of like length are batched


@dataclass(frozen=True)
class Batch:
    """Recordings, the longest first to fill its row.

    ``views`` float32 [2, batch, 2 * frames, 80] and ``plain`` [batch, 2 * frames, 80] are log bands, ``envelope`` those
    of the undisguised spectral envelope, shaped as ``plain``;
    ``mask`` float32 [batch, frames]; ``speakers`` int64 [batch]; ``texts`` where they are known.
    """

    views: torch.Tensor
    plain: torch.Tensor
    envelope: torch.Tensor
    mask: torch.Tensor
    speakers: torch.Tensor
    texts: tuple[Words | None, ...]

    def to(self, device: torch.device) -> "Batch":
        """Move tensors to a device."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        return replace(self, **tensors)


class Batches:
    """Draws batches from a cache at 16 kHz, from every speaker but those ``without``."""

    def __init__(self, cache: Cache, without: Collection[str], config: ContentConfig, views: Views) -> None:
        self._cache, self._config, self._views = cache, config, views
        self._words = phones.of(cache)
        usable = [clip for clip in cache.clips if clip.speaker not in without and self._usable(clip)]
        if not usable:
            raise BadInputError("no speaker is left to train on", hint="hold fewer back, or bring more speakers")
        self.speakers = tuple(sorted({clip.speaker for clip in usable}))
        self._clips, self._odds = usable, self._chances(usable)

    def _usable(self, clip: Clip) -> bool:
        frames = clock.content_frames(clip.length)
        return frames >= _SHORTEST and (clip.start not in self._words or frames <= self._longest)

    @property
    def _longest(self) -> int:
        return clock.content_frames(round(self._config.longest * clock.RATE))

    def _chances(self, clips: list[Clip]) -> NDArray[np.float64]:
        """Return how probably each clip is drawn, so that corpora have their shares of the seconds."""
        seconds: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            seconds[clip.corpus][clip.speaker].append(clip.length)
        weights = {
            (corpus, speaker): sum(lengths) ** self._config.exponent / sum(lengths)
            for corpus, speakers in seconds.items()
            for speaker, lengths in speakers.items()
        }
        whole: dict[str, float] = defaultdict(float)
        for clip in clips:
            whole[clip.corpus] += weights[clip.corpus, clip.speaker] * clip.length
        odds = np.array(
            [
                self._config.shares.get(clip.corpus, 1.0) * weights[clip.corpus, clip.speaker] / whole[clip.corpus]
                for clip in clips
            ]
        )
        scaled: NDArray[np.float64] = odds / odds.sum()
        return scaled

    def batch(self, step: int, budget: int) -> Batch:
        """Draw the batch of a step, of at most ``budget`` content frames, padding included."""
        random = np.random.default_rng([self._config.seed, step])
        drawn = [self._clips[i] for i in random.choice(len(self._clips), _DRAWN, p=self._odds)]
        rows = _rows(sorted(drawn, key=lambda clip: -clip.length), budget, self._longest)
        chosen = rows[random.integers(len(rows))]
        sounds = [self._sound(clip, random) for clip in chosen]
        frames = [len(sound) // clock.CONTENT_HOP for sound in sounds]
        length = _round(max(frames))
        number = {name: i for i, name in enumerate(self.speakers)}
        return Batch(
            views=torch.stack(
                [_pad([self._views.draw(sound, random) for sound in sounds], 2 * length) for _ in range(2)]
            ),
            envelope=_pad([self._views.envelope(sound) for sound in sounds], 2 * length),
            plain=_pad([self._views.plain(sound) for sound in sounds], 2 * length),
            mask=_pad([torch.ones(count) for count in frames], length),
            speakers=torch.tensor([number[clip.speaker] for clip in chosen]),
            texts=tuple(self._words.get(clip.start) for clip in chosen),
        )

    def _sound(self, clip: Clip, random: np.random.Generator) -> torch.Tensor:
        """Return a recording as whole content frames; one too long, a stretch of it."""
        sound = self._cache.floats(clip)
        frames = min(clock.content_frames(len(sound)), self._longest)
        start = int(random.integers(len(sound) - frames * clock.CONTENT_HOP + 1))
        return torch.from_numpy(sound[start : start + frames * clock.CONTENT_HOP])


def _rows(clips: list[Clip], budget: int, longest: int) -> list[list[Clip]]:
    """Cut clips, the longest first, into batches that fit the budget; a clip too long for it stands alone."""
    rows: list[list[Clip]] = []
    room = 0
    for clip in clips:
        if not room:
            rows.append([])
            room = max(1, budget // _round(min(clock.content_frames(clip.length), longest)))
        rows[-1].append(clip)
        room -= 1
    return rows


def _round(frames: int) -> int:
    """Round up: kernels are compiled for every shape anew, so there should be few."""
    return -(-frames // _STEP) * _STEP


def _pad(rows: list[torch.Tensor], length: int) -> torch.Tensor:
    """Stack rows of unequal length, the rest zero."""
    padded = torch.zeros(len(rows), length, *rows[0].shape[1:])
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded
