"""A frozen listener to whose voice a mel spectrogram is in, which hears else than Resemblyzer does.

What Resemblyzer does not hear of a source, a network that it alone judges leaves in conversions. This listener is of
the kind of x-vectors (Snyder et al. 2018, ICASSP): dilated convolutions, then the mean and the deviation over time; it
learns from pairs of recordings of many speakers (angular prototypes, Chung et al. 2020, arXiv 2003.11982).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL
from voxrelay.training import held_back
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features
from voxrelay.training.mel.frozen import frozen

Floats = NDArray[np.float32]
_WIDTH, _POOLED, _VECTOR = 192, 384, 128
_LAYERS = ((5, 1), (3, 2), (3, 3), (3, 4))  # kernel and dilation
_STEPS, _SPEAKERS = 1500, 40
_CROP = 128  # mel frames
_SCALE = 15.0  # of cosines
_MICROPHONE, _RIPPLE = 0.5, 0.3  # natural logarithm
_HISS = (-11.0, -5.0)  # its level, natural logarithm
_NOTHING = 1e-6
_SEED = 4


class XVector(nn.Module):
    """Says whose voice log-mel spectrograms are in: unit vectors."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = MEL.bands
        for kernel, dilation in _LAYERS:
            layers += [nn.Conv1d(width, _WIDTH, kernel, dilation=dilation), nn.GELU(), nn.BatchNorm1d(_WIDTH)]
            width = _WIDTH
        self.frames = nn.Sequential(*layers, nn.Conv1d(_WIDTH, _POOLED, 1), nn.GELU(), nn.BatchNorm1d(_POOLED))
        self.whole = nn.Sequential(nn.Linear(2 * _POOLED, _VECTOR), nn.BatchNorm1d(_VECTOR))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Listen to [batch, frames, 80], however loud; gives [batch, 128]."""
        found = self.frames((mel - mel.mean(dim=(1, 2), keepdim=True)).transpose(1, 2) / 2)
        pooled = [found.mean(dim=2), (found.var(dim=2) + _NOTHING).sqrt()]  # a root has no gradient at 0
        return functional.normalize(self.whole(torch.cat(pooled, dim=1)), dim=1)


def xvector(cache: Cache, mels: Features, without: Collection[str]) -> XVector:
    """Open the listener of a cache, or let one learn, which takes minutes; it hears no speaker ``without``."""
    clips = [clip for clip in cache.clips if clip.speaker not in without and len(mels.of(clip)) >= _CROP]
    path = cache.folder / f"xvector-{held_back.key(without)}.safetensors"
    return frozen(XVector, path, _STEPS, lambda found: _losses(found, clips, mels))


def _losses(found: XVector, clips: list[Clip], mels: Features) -> Iterator[torch.Tensor]:
    """Ask which of many speakers' crops is of the same speaker as each."""
    random = np.random.default_rng(_SEED)
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_speaker[clip.speaker].append(clip)
    names = list(by_speaker)
    wanted = torch.arange(min(_SPEAKERS, len(names)))
    while True:
        chosen = [by_speaker[names[place]] for place in random.choice(len(names), len(wanted), replace=False)]
        crops = [_crop(random, mels.of(clip)) for own in chosen for clip in _two(random, own)]
        one, other = found(torch.from_numpy(np.stack(crops))).unflatten(0, (-1, 2)).unbind(dim=1)
        cosines = _SCALE * one @ other.T
        yield (functional.cross_entropy(cosines, wanted) + functional.cross_entropy(cosines.T, wanted)) / 2


def _two(random: np.random.Generator, clips: list[Clip]) -> list[Clip]:
    """Draw two recordings of a speaker, or the only one twice."""
    return [clips[place] for place in random.choice(len(clips), 2, replace=len(clips) == 1)]


def _crop(random: np.random.Generator, mel: NDArray[np.generic]) -> Floats:
    """Crop a recording, as if through another microphone, and half of them in noise, [frames, 80]."""
    begin = int(random.integers(len(mel) - _CROP + 1))
    bands = np.linspace(-1, 1, MEL.bands)
    ripple = np.cos(np.pi * random.integers(1, 4) * (bands + 1) / 2)
    crop = np.asarray(mel[begin : begin + _CROP], dtype=np.float64)
    crop = crop + _MICROPHONE * random.normal() * bands + _RIPPLE * random.normal() * ripple
    if random.random() < 1 / 2:
        crop = np.logaddexp(crop, random.uniform(*_HISS) + 0.3 * random.standard_normal(crop.shape))
    return crop.astype(np.float32)
