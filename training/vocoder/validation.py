"""How well a generator does on the speakers that are held back."""

from collections import defaultdict
from collections.abc import Collection

import numpy as np
import torch
from torch.nn import functional

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import MEL
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.losses import MultiResolution
from voxrelay.training.spectra import LogMel

_FRAMES = 258  # three seconds
_FULL_SCALE = 32_768


class Validation:
    """Copy synthesis of one fixed excerpt a held-back speaker: the middle three seconds of their longest clip."""

    def __init__(self, cache: Cache, held_back: Collection[str], device: torch.device) -> None:
        longest: dict[str, Clip] = {}
        for clip in cache.clips:
            if clip.speaker in held_back and clip.length > longest.get(clip.speaker, clip).length - 1:
                longest[clip.speaker] = clip
        if not longest:
            raise BadInputError("nobody is held back to validate on", hint="bring at least two speakers")
        self._excerpts = [(clip, _excerpt(cache, clip).to(device)) for _, clip in sorted(longest.items())]
        self._mel, self._stft = LogMel().to(device), MultiResolution().to(device)

    @property
    def speakers(self) -> int:
        """How many are measured."""
        return len(self._excerpts)

    @torch.inference_mode()
    def measure(self, generator: torch.nn.Module) -> dict[str, float]:
        """Return the mean mel L1 (natural log) and multi-resolution STFT loss, of all and by corpus and sex."""
        found: dict[str, list[float]] = defaultdict(list)
        for clip, sound in self._excerpts:
            mel = self._mel(sound)
            made = generator(mel).float()
            groups = ["", f"/{clip.corpus}", *([f"/{clip.sex}"] if clip.sex else [])]
            for group in groups:
                found["mel" + group].append(float(functional.l1_loss(self._mel(made), mel)))
                found["stft" + group].append(float(self._stft(made, sound)))
        return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def _excerpt(cache: Cache, clip: Clip) -> torch.Tensor:
    """Cut whole mel frames from the middle of a clip, float32 [1, samples]."""
    samples = min(_FRAMES, clip.length // MEL.hop) * MEL.hop
    start = (clip.length - samples) // 2
    sound = cache.of(clip)[start : start + samples].astype(np.float32) / _FULL_SCALE
    return torch.from_numpy(sound)[None]
