"""How well an acoustic model does on the speakers that are held back."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from voxrelay.training.cache import Cache, Clip
from voxrelay.training.held_back import longest
from voxrelay.training.mel.batches import Speakers, Told, cut, looked_up, relative_subbands, stack, unit
from voxrelay.training.mel.material import Material
from voxrelay.workers.mel.networks import Network, Shape
from voxrelay.workers.mel.timbre import timbre

_FRAMES = 258  # three seconds


class Validation:
    """The middle three seconds of the longest clip of each held-back speaker, said again.

    ``shape``: of the network, which says what it is told.
    """

    def __init__(
        self, cache: Cache, material: Material, speakers: Speakers, held_back: Collection[str], shape: Shape
    ) -> None:
        self._clips = longest(cache.clips, held_back)
        self._told = [_middle(material, speakers, clip, shape) for clip in self._clips]

    @torch.inference_mode()
    def measure(self, network: Network) -> dict[str, float]:
        """Measure.

        Returns:
            ``mel``: L1 of the log-mel; ``stranger``: the same when all that it is told of the voice is
            the next speaker's of the list, which must be worse; ``lively``: variance over time, as a share of the
            true one's, mean over bands; also by corpus and sex.

        """
        device = next(network.parameters()).device
        found: dict[str, list[float]] = defaultdict(list)
        for i, (clip, told) in enumerate(zip(self._clips, self._told, strict=True)):
            true, other = told.to(device), self._told[(i + 1) % len(self._told)].to(device)
            made = true.said(network)
            strange = replace(other, content=true.content, prosody=true.prosody, mel=true.mel).said(network)
            figures = {
                "mel": functional.l1_loss(made, true.mel),
                "stranger": functional.l1_loss(strange, true.mel),
                "lively": (made.var(dim=1) / true.mel.var(dim=1)).mean(),
            }
            for name, value in figures.items():
                for group in ("", f"/{clip.corpus}", *([f"/{clip.sex}"] if clip.sex else [])):
                    found[name + group].append(float(value))
        return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def _middle(material: Material, speakers: Speakers, clip: Clip, shape: Shape) -> Told:
    """Cut the middle of a clip, told in the voice that the rest of what its speaker said gives."""
    whole = len(material.mels.of(clip))
    frames = min(_FRAMES, whole)
    start = (whole - frames) // 2
    content, prosody, mel = cut(material, clip, start, frames)
    prosody = np.concatenate([prosody, relative_subbands(material, clip, start, frames, shape.subbands)], axis=1)
    rest = [other for other in speakers.clips[clip.speaker] if other.start != clip.start]
    rows = np.concatenate([np.asarray(material.voices.of(other), dtype=np.float32) for other in rest or [clip]])
    own = speakers.registers[clip.speaker]
    lie = np.array([own.median, own.spread], dtype=np.float32)
    parts = speakers.elsewhere(clip.speaker, clip, 0, whole)
    mean = timbre([part.spectrum(material) for part in parts])
    keys, values = looked_up(material, parts, shape.attention)
    return stack([[content, prosody, unit(rows.mean(axis=0)), lie, mean, keys, values, mel]])
