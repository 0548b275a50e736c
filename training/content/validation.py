"""How well an encoder does on the speakers that are held back."""

from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np
import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.content import phones
from voxrelay.training.content.config import ContentConfig
from voxrelay.training.content.learning import loudness, occupied, scale
from voxrelay.training.content.phones import SILENCE
from voxrelay.training.content.state import Heads
from voxrelay.training.content.views import Views
from voxrelay.workers.content.encoder import Encoder

_READ = 4  # recordings of each speaker
_RIDGE = 1e-3
_SEED = 20


class Validation:
    """Phones of held-back speakers whose texts are known, and what content tells of who speaks."""

    def __init__(self, cache: Cache, held_back: Collection[str], config: ContentConfig, views: Views) -> None:
        self._cache, self._config, self._views = cache, config, views
        self._words = phones.of(cache)
        by_speaker: dict[str, list[Clip]] = defaultdict(list)
        for clip in sorted(cache.clips, key=lambda clip: -clip.length):
            if clip.speaker in held_back and len(by_speaker[clip.speaker]) < _READ:
                by_speaker[clip.speaker].append(clip)
        if not by_speaker:
            raise BadInputError("nobody is held back to validate on", hint="bring at least two speakers")
        self._clips = dict(sorted(by_speaker.items()))
        self._device = torch.device("cpu")

    @torch.inference_mode()
    def measure(self, encoder: Encoder, heads: Heads) -> dict[str, float]:
        """Measure.

        Returns:
            ``frames``: share of frames given to the phone that the text puts there; ``errors``: phone
            error rate of what frames say without a text; ``same``: cosine of a frame in two disguises,
            and ``other`` of two frames at random; ``probe`` and ``probe/bands``: how often a linear probe
            names the speaker from a frame of content, or of its normalised bands; the first three also
            by corpus. Shares of one; those without data are left out.

        """
        self._device = encoder.mean.device
        found: dict[str, list[float]] = defaultdict(list)
        probed: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(list)
        for clips in self._clips.values():
            for clip in clips:
                sound = _whole(self._cache, clip)
                bands = self._views.plain(sound).to(self._device)
                content = encoder(bands[None])[0]
                figures = {**self._read(clip, bands, content, heads), **self._disguised(sound, encoder)}
                for name, value in figures.items():
                    found[name].append(value)
                    found[f"{name}/{clip.corpus}"].append(value)
            probed[clips[0].corpus].append((content, encoder.normal(bands).unflatten(0, (-1, 2)).mean(dim=1)))
        largest = max(probed.values(), key=len)
        means = {name: float(np.mean(values)) for name, values in sorted(found.items())}
        return {**means, "probe": probe(c for c, _ in largest), "probe/bands": probe(b for _, b in largest)}

    def _read(self, clip: Clip, bands: torch.Tensor, content: torch.Tensor, heads: Heads) -> dict[str, float]:
        words = self._words.get(clip.start)
        if not words:
            return {}
        log = heads.phones(content).log_softmax(dim=-1)
        true = occupied(scale(log, heads.prior, self._config.prior), words, loudness(bands))
        if true is None:
            return {}
        said = log.argmax(dim=-1).cpu().numpy()
        # read over three frames, or every frame in doubt would count as a phone of its own
        smooth = functional.avg_pool1d(log.T, 3, 1, 1, count_include_pad=False).argmax(dim=0).tolist()
        text = [phone for word in words for phone in word]
        return {
            "frames": float((true.argmax(axis=1) == said).mean()),
            "errors": distance(_spelled(smooth), text) / len(text),
        }

    def _disguised(self, sound: torch.Tensor, encoder: Encoder) -> dict[str, float]:
        random = np.random.default_rng(_SEED)
        one, other = (encoder(self._views.draw(sound, random)[None].to(self._device))[0] for _ in range(2))
        shifted = other.roll(len(other) // 2, dims=0)
        return {
            "same": float(functional.cosine_similarity(one, other, dim=-1).mean()),
            "other": float(functional.cosine_similarity(one, shifted, dim=-1).mean()),
        }


def _whole(cache: Cache, clip: Clip) -> torch.Tensor:
    frames = clock.content_frames(clip.length)
    return torch.from_numpy(cache.floats(clip)[: frames * clock.CONTENT_HOP])


def _spelled(frames: list[int]) -> list[int]:
    """Join frames of one phone, and leave silence out."""
    changed = [phone for i, phone in enumerate(frames) if i == 0 or frames[i - 1] != phone]
    return [phone for phone in changed if phone != SILENCE]


def distance(one: list[int], other: list[int]) -> int:
    """Count the insertions, deletions and substitutions between two sequences (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, item in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (item != wanted))
    return row[-1]


def probe(recordings: Iterable[torch.Tensor]) -> float:
    """Fit a linear map from frames to who speaks on the first halves; return how often it is right on the second.

    Ridge regression on one-hot names; recordings are [frames, features].
    """
    halves = [(x[: len(x) // 2], x[len(x) // 2 :]) for x in recordings]
    first, second = (torch.cat([half[i] for half in halves]).double() for i in (0, 1))
    names, wanted = (torch.cat([torch.full((len(half[i]),), n) for n, half in enumerate(halves)]) for i in (0, 1))
    names, wanted = names.to(first.device), wanted.to(first.device)
    mean, spread = first.mean(dim=0), first.std(dim=0) + 1e-6
    x, y = (functional.pad((part - mean) / spread, (0, 1), value=1.0) for part in (first, second))
    gram = x.T @ x + _RIDGE * len(x) * torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
    fitted = torch.linalg.solve(gram, x.T @ functional.one_hot(names, len(halves)).double())
    return float(((y @ fitted).argmax(dim=-1) == wanted).double().mean())
