"""How well a generator does on the speakers that are held back."""

from collections import defaultdict
from collections.abc import Collection

import numpy as np
import torch
from torch.nn import functional

from voxrelay.relay.tensors import MEL
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.held_back import longest
from voxrelay.training.losses import MultiResolution
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.vocoder.asked import Asked

_FRAMES = 258  # three seconds
_FULL_SCALE = 32_768


class Validation:
    """One fixed excerpt a held-back speaker, the middle three seconds of their longest clip, from two mels.

    From its own, and from what an acoustic model makes of it in the speaker's own voice, where there is one.
    """

    def __init__(self, cache: Cache, held_back: Collection[str], device: torch.device, asked: Asked | None) -> None:
        self._excerpts = [(clip, _excerpt(cache, clip).to(device)) for clip in longest(cache.clips, held_back)]
        told = asked.excerpts(held_back, _FRAMES) if asked else []
        self._predicted = [(mel.to(device), sound[:, MARGIN:-MARGIN].to(device)) for mel, sound in told]
        self._mel, self._stft = LogMel().to(device), MultiResolution().to(device)

    @property
    def speakers(self) -> int:
        """How many are measured."""
        return len(self._excerpts)

    @torch.inference_mode()
    def measure(self, generator: torch.nn.Module) -> dict[str, float]:
        """Compare what is made of both mels with what was recorded.

        Returns:
            ``mel`` and ``stft``: mean L1 of the log-mel (natural logarithm) and multi-resolution STFT loss of copy
            synthesis, of all and by corpus and sex; ``predicted_mel`` and ``predicted_stft``: of all, from the
            mels of the acoustic model.

        """
        found: dict[str, list[float]] = defaultdict(list)
        for clip, sound in self._excerpts:
            groups = ["", f"/{clip.corpus}", *([f"/{clip.sex}"] if clip.sex else [])]
            for name, value in self._compare(generator, self._mel(sound), sound).items():
                for group in groups:
                    found[name + group].append(value)
        for mel, sound in self._predicted:
            for name, value in self._compare(generator, mel, sound).items():
                found[f"predicted_{name}"].append(value)
        return {name: float(np.mean(values)) for name, values in sorted(found.items())}

    def _compare(self, generator: torch.nn.Module, mel: torch.Tensor, sound: torch.Tensor) -> dict[str, float]:
        made = generator(mel).float()
        off = functional.l1_loss(self._mel(made), self._mel(sound))
        return {"mel": float(off), "stft": float(self._stft(made, sound))}


def _excerpt(cache: Cache, clip: Clip) -> torch.Tensor:
    """Cut whole mel frames from the middle of a clip, float32 [1, samples]."""
    samples = min(_FRAMES, clip.length // MEL.hop) * MEL.hop
    start = (clip.length - samples) // 2
    sound = cache.of(clip)[start : start + samples].astype(np.float32) / _FULL_SCALE
    return torch.from_numpy(sound)[None]
