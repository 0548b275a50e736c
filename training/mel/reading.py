"""A frozen reader of mel spectrograms: which sounds it takes what is said for.

The content encoder hears through disguises, and hears words through what a recogniser, who learnt from natural speech
alone, stumbles over. So does this reader: it learns to tell the clusters of a content encoder's frames (the "units" of
HuBERT, Hsu et al. 2021, arXiv 2106.07447) from the cepstra of undisguised speech, whose mean alone is taken off.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.training import held_back
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.mel.frozen import frozen
from voxrelay.training.mel.material import Material
from voxrelay.workers.mel.timbre import timbre

_SOUNDS, _CEPSTRA, _WIDTH = 128, 24, 256
_DILATIONS = (1, 2, 4)
_GATHERED, _ROUNDS = 150_000, 30  # frames, of k-means
_STEPS, _BATCH, _CROP = 1600, 32, 160  # mel frames
_EXPONENT = 0.8  # a recording is drawn with the probability of its length to this power
_SEED = 3


@dataclass(frozen=True)
class Lesson:
    """A recording's log-mel spectrogram less its timbre, float16 [2 * n, 80], and the sound of every two frames."""

    mel: torch.Tensor
    sounds: torch.Tensor


class Reader(nn.Module):
    """Says which sounds a log-mel spectrogram is of."""

    cosines: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        order, band = np.arange(_CEPSTRA)[:, None], np.arange(MEL.bands) + 0.5
        cosines = np.cos(np.pi / MEL.bands * order * band) * math.sqrt(2 / MEL.bands)
        self.register_buffer("cosines", torch.from_numpy(cosines).float())
        layers: list[nn.Module] = [nn.BatchNorm1d(_CEPSTRA, affine=False)]
        layers += [nn.Conv1d(_CEPSTRA, _WIDTH, 6, stride=2, padding=2), nn.ReLU(), nn.BatchNorm1d(_WIDTH)]
        for wide in _DILATIONS:
            layers += [nn.Conv1d(_WIDTH, _WIDTH, 3, padding=wide, dilation=wide), nn.ReLU(), nn.BatchNorm1d(_WIDTH)]
        self.layers = nn.Sequential(*layers, nn.Conv1d(_WIDTH, _SOUNDS, 1))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Read log-mel spectrograms less the timbres of their voices, float [batch, 2 * n, 80].

        Returns:
            log-probabilities, [batch, n, sounds].

        """
        said: torch.Tensor = self.layers((mel @ self.cosines.T).transpose(1, 2)).log_softmax(dim=1)
        return said.transpose(1, 2)


def reader(cache: Cache, material: Material, without: Collection[str], content: str) -> Reader:
    """Open the reader of a cache, or let one learn, which takes minutes.

    Args:
        cache: recordings.
        material: of them.
        without: speakers whom it does not hear.
        content: names what ``material`` has of content.

    """
    clips = [clip for clip in cache.clips if clip.speaker not in without]
    path = cache.folder / f"reader-{content}-{held_back.key(without)}.safetensors"
    return frozen(Reader, path, _STEPS, lambda found: _losses(found, _lessons(material, clips)))


def _losses(found: Reader, lessons: list[Lesson]) -> Iterator[torch.Tensor]:
    for mel, sounds in _batches(lessons):
        yield functional.nll_loss(found(mel).flatten(0, 1), sounds.flatten())


def _batches(lessons: list[Lesson]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    random, half = np.random.default_rng(_SEED), _CROP // 2
    enough = [lesson for lesson in lessons if len(lesson.sounds) >= half]
    shares = np.array([len(lesson.sounds) for lesson in enough]) ** _EXPONENT
    while True:
        mels, sounds = [], []
        for place in random.choice(len(enough), _BATCH, p=shares / shares.sum()):
            lesson = enough[place]
            begin = int(random.integers(len(lesson.sounds) - half + 1))
            mels.append(lesson.mel[2 * begin : 2 * begin + _CROP])
            sounds.append(lesson.sounds[begin : begin + half])
        yield torch.stack(mels).float(), torch.stack(sounds)


def _lessons(material: Material, clips: list[Clip]) -> list[Lesson]:
    centres = _clusters(material, clips)
    return [_lesson(material, clip, centres) for clip in clips]


def _lesson(material: Material, clip: Clip, centres: torch.Tensor) -> Lesson:
    mel = np.asarray(material.mels.of(clip), dtype=np.float32)
    content = torch.from_numpy(np.asarray(material.content.of(clip), dtype=np.float32))
    sounds = torch.cdist(content, centres).argmin(dim=1)
    pairs = torch.arange(len(mel) // 2)
    places = ((2 * pairs + 1) * (MEL.hop / clock.SOUND_PER_HOP)).long().clamp(max=len(sounds) - 1)
    return Lesson(torch.from_numpy(mel[: 2 * len(pairs)] - timbre([mel])).half(), sounds[places])


def _clusters(material: Material, clips: list[Clip]) -> torch.Tensor:
    """Find the middles of clusters of content frames by k-means, float [sounds, features]."""
    random = np.random.default_rng(_SEED)
    share = min(1.0, _GATHERED / sum(len(material.content.of(clip)) for clip in clips))
    rows = [material.content.of(clip) for clip in clips]
    frames = torch.from_numpy(
        np.concatenate([np.asarray(part[random.random(len(part)) < share], dtype=np.float32) for part in rows])
    )
    centres = frames[random.permutation(len(frames))[:_SOUNDS]]
    for _ in range(_ROUNDS):
        nearest = torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in frames.split(20_000)])
        sums = torch.zeros_like(centres).index_add_(0, nearest, frames)
        counts = torch.bincount(nearest, minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres
