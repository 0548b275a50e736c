"""Crops of speech with what an acoustic model is told of them: a function of the seed and the step alone."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.draw import Draw
from voxrelay.training.mel.config import MelConfig
from voxrelay.training.mel.lent import Lender
from voxrelay.training.mel.material import PARTIAL, PARTIAL_STEP, Material
from voxrelay.training.spectra import mel_centres
from voxrelay.workers.mel.attention import spectra
from voxrelay.workers.mel.networks import Network
from voxrelay.workers.mel.pitch import Prosody, Register, register
from voxrelay.workers.mel.subbands import subbands
from voxrelay.workers.mel.timbre import timbre

Floats = NDArray[np.float32]
_PER_SECOND = clock.SOUND_RATE / MEL.hop  # mel frames
_STRETCHES, _LONGEST, _SHORTEST = 4, 258, 64  # of a reference: their number at most, frames of each
_ROWS = 320  # frames that are looked up in


@dataclass(frozen=True)
class Told:
    """What the network is told, and the mel that it is to make; all at the mel's rate, float32.

    ``content`` [batch, frames, features], ``prosody`` [batch, frames, 3 + subbands], ``voice`` [batch, 256],
    ``register`` [batch, 2], ``timbre`` [batch, 80], ``keys`` [batch, rows, features], ``values`` [batch, rows, 80],
    ``mel`` [batch, frames, 80]; ``lent``, of its shape, what is lent to what the next speaker of the batch says; empty
    where nothing is.
    """

    content: torch.Tensor
    prosody: torch.Tensor
    voice: torch.Tensor
    register: torch.Tensor
    timbre: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor
    mel: torch.Tensor
    lent: torch.Tensor = field(default_factory=lambda: torch.zeros(0))

    def to(self, device: torch.device) -> "Told":
        """Move tensors to a device."""
        return Told(**{name: value.to(device) for name, value in vars(self).items()})

    def said(self, network: Network) -> torch.Tensor:
        """Let a network say it: float [batch, frames, 80]."""
        whose = (self.voice, self.register, self.timbre, self.keys, self.values)
        made: torch.Tensor = network(self.content, self.prosody, *whose)
        return made

    def joined(self, other: "Told") -> "Told":
        """Append another batch."""
        return Told(**{name: torch.cat([value, getattr(other, name)]) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Stretch:
    """Mel frames of a clip, from the first to the one that is no longer of it."""

    clip: Clip
    begin: int
    end: int

    def spectrum(self, material: Material) -> Floats:
        """Return its log-mel spectrogram, [frames, 80]."""
        return np.asarray(material.mels.of(self.clip)[self.begin : self.end], dtype=np.float32)

    def frames(self, material: Material) -> tuple[Floats, Floats]:
        """Return its content frames and their spectra: [frames, features] and [frames, 80]."""
        whole, ratio = material.content.of(self.clip), MEL.hop / clock.SOUND_PER_HOP
        rows = np.arange(int(np.ceil(self.begin * ratio)), min(int(self.end * ratio), len(whole)))
        return np.asarray(whole[rows], dtype=np.float32), spectra(material.mels.of(self.clip), rows)


class Speakers:
    """Registers, partial voices and spectra of everybody in a cache."""

    def __init__(self, cache: Cache, material: Material) -> None:
        self._material = material
        self.clips: dict[str, list[Clip]] = defaultdict(list)
        for clip in cache.clips:
            self.clips[clip.speaker].append(clip)
        self.registers: dict[str, Register] = {
            name: register([np.asarray(material.prosody.of(clip)[:, 0]) for clip in clips])
            for name, clips in self.clips.items()
        }

    def partials(self, speaker: str, clip: Clip | None = None, begin: float = 0.0, end: float = 0.0) -> Floats:
        """Return partial voices, [n, 256], but those that overlap a stretch (seconds) of a clip, unless all do."""
        rows = []
        for other in self.clips[speaker]:
            found = np.asarray(self._material.voices.of(other), dtype=np.float32)
            if clip is not None and other.start == clip.start:
                starts = np.arange(len(found)) * PARTIAL_STEP
                found = found[(starts + PARTIAL <= begin) | (starts >= end)]
            rows.append(found)
        whole = np.concatenate(rows)
        return whole if len(whole) else self.partials(speaker)

    def elsewhere(self, speaker: str, clip: Clip, begin: int, end: int) -> list[Stretch]:
        """Return what the speaker says elsewhere than in mel frames of a clip."""
        whole = len(self._material.mels.of(clip))
        others = [other for other in self.clips[speaker] if other.start != clip.start]
        found = [Stretch(other, 0, len(self._material.mels.of(other))) for other in others]
        parts = found or [Stretch(clip, 0, begin), Stretch(clip, end, whole)]
        return [part for part in parts if part.end - part.begin >= _SHORTEST] or [Stretch(clip, 0, whole)]


class Batches:
    """Draws batches.

    Args:
        sources: what is drawn from, and the share of each.
        seed: of every batch.

    """

    def __init__(self, sources: Mapping["Source", float], seed: int) -> None:
        self._sources, self._shares, self._seed = list(sources), list(sources.values()), seed

    def batch(self, step: int, size: int, frames: int, *, lend: bool = False) -> Told:
        """Draw the batch of a step: crops of so many mel frames; with ``lend``, what their conversions are lent."""
        random = np.random.default_rng([self._seed, step])
        sources = [self._sources[place] for place in random.choice(len(self._sources), size, p=self._shares)]
        crops, places = [], []
        for source in sources:
            places.append(source.place(random, frames))
            crops.append(source.tell(random, *places[-1], frames))
        told = stack(crops)
        if not lend:
            return told
        registers = ([Register(*row) for row in who.register.tolist()] for who in (told, converted(told)))
        lent = [
            source.lent(*place, frames, own, goal)
            for source, place, own, goal in zip(sources, places, *registers, strict=True)
        ]
        return replace(told, lent=torch.from_numpy(np.stack(lent)))


class Source:
    """Draws crops of every speaker of a cache but those ``without``."""

    def __init__(self, cache: Cache, material: Material, without: Collection[str], config: MelConfig) -> None:
        self._material, self._config = material, config
        self._draw = Draw(cache, without, config.shares, config.exponent)
        self.speakers = Speakers(cache, material)
        self.lent = Lender(cache, material.prosody).mel

    def place(self, random: np.random.Generator, frames: int) -> tuple[Clip, int]:
        """Draw a clip and the first of so many mel frames of it."""
        clip = self._draw.clip(random)
        while len(self._material.mels.of(clip)) < frames:
            clip = self._draw.clip(random)
        return clip, int(random.integers(len(self._material.mels.of(clip)) - frames + 1))

    def tell(self, random: np.random.Generator, clip: Clip, start: int, frames: int) -> list[Floats]:
        """Return what is told of mel frames of a clip: content, prosody, voice, register, timbre, mel."""
        doubt = self._config.doubt
        told = cut(self._material, clip, start, frames)
        told[0] += doubt.content * random.standard_normal(told[0].shape, dtype=np.float32)
        told[1][:, 2] += doubt.loudness * random.normal()
        warp = float(np.exp(random.uniform(*np.log(doubt.warp))))
        parts = relative_subbands(self._material, clip, start, frames, self._config.shape.subbands, warp)
        parts += doubt.subbands * random.standard_normal(parts.shape[1], dtype=np.float32)
        told[1] = np.concatenate([told[1], parts], axis=1)
        whose = self._voice(random, clip, start, frames), self._register(random, clip.speaker)
        return [*told[:2], *whose, *self._reference(random, clip, start, frames), told[2]]

    def _voice(self, random: np.random.Generator, clip: Clip, start: int, frames: int) -> Floats:
        """Average some of the speaker's partial voices from elsewhere, and blur the mean."""
        doubt = self._config.doubt
        rows = self.speakers.partials(clip.speaker, clip, start / _PER_SECOND, (start + frames) / _PER_SECOND)
        count = int(random.integers(doubt.partials[0], doubt.partials[1] + 1))
        mean = unit(rows[random.integers(len(rows), size=count)].mean(axis=0))
        noise = random.standard_normal(len(mean), dtype=np.float32) / np.sqrt(len(mean), dtype=np.float32)
        return unit(mean + random.uniform(0, doubt.voice) * noise)

    def _reference(self, random: np.random.Generator, clip: Clip, start: int, frames: int) -> list[Floats]:
        """Draw some stretches of the speaker from elsewhere: their timbre, and what is looked up in them."""
        parts = self.speakers.elsewhere(clip.speaker, clip, start, start + frames)
        chosen = []
        for place in random.integers(len(parts), size=random.integers(1, _STRETCHES + 1)):
            part = parts[place]
            begin = part.begin + int(random.integers(max(part.end - part.begin - _LONGEST, 0) + 1))
            chosen.append(replace(part, begin=begin, end=min(begin + _LONGEST, part.end)))
        noise = self._config.doubt.timbre * random.standard_normal(MEL.bands, dtype=np.float32)
        mean = timbre([part.spectrum(self._material) for part in chosen]) + noise
        return [mean, *looked_up(self._material, chosen, self._config.shape.attention)]

    def _register(self, random: np.random.Generator, speaker: str) -> Floats:
        known, doubt = self.speakers.registers[speaker], self._config.doubt.register
        return np.array(
            [known.median + doubt * random.normal(), known.spread * np.exp(3 * doubt * random.normal())], np.float32
        )


def converted(told: Told) -> Told:
    """Ask for the same in the voice of the next speaker of the batch, the melody moved into their register."""
    names = ("voice", "register", "timbre", "keys", "values")
    whose = {name: getattr(told, name).roll(1, dims=0) for name in names}
    register = whose["register"]
    middle, spread = told.register[:, None].unbind(dim=-1)
    pitch = (told.prosody[..., 0] - middle) / spread * register[:, 1:] + register[:, :1]
    prosody = torch.cat([pitch[..., None], told.prosody[..., 1:]], -1)
    return replace(told, **whose, prosody=prosody)


def cut(material: Material, clip: Clip, start: int, frames: int) -> list[Floats]:
    """Cut content, prosody and mel of some mel frames of a clip; what runs at 50 frames/s is read there by time."""
    content, rows = material.content.of(clip), np.asarray(material.prosody.of(clip))
    position = (np.arange(start, start + frames) + 0.5) * (MEL.hop / clock.SOUND_PER_HOP) - 0.5
    position = np.clip(position, 0, len(content) - 1)
    first, last = int(position[0]), min(int(position[-1]) + 2, len(content))
    found = Prosody(rows[:, 0], rows[:, 1])
    prosody = np.stack([found.contour(), found.hertz > 0, found.loudness], axis=1).astype(np.float32)
    told = np.concatenate([np.asarray(content[first:last], dtype=np.float32), prosody[first:last]], axis=1)
    before = (position - first).astype(np.intp)
    after = np.minimum(before + 1, len(told) - 1)
    share = (position - first - before).astype(np.float32)[:, None]
    read = told[before] * (1 - share) + told[after] * share
    mel = np.asarray(material.mels.of(clip)[start : start + frames], dtype=np.float32)
    return [read[:, :-3], read[:, -3:], mel]


def looked_up(material: Material, stretches: Sequence[Stretch], heads: int) -> list[Floats]:
    """Spread rows evenly over the frames of stretches: keys and values; without heads there are none."""
    if not heads:
        return [np.zeros((0, 0), dtype=np.float32)] * 2
    found = [part.frames(material) for part in stretches]
    keys, values = (np.concatenate(column) for column in zip(*found, strict=True))
    chosen = (np.arange(_ROWS) * len(keys)) // _ROWS
    return [keys[chosen], values[chosen]]


def relative_subbands(material: Material, clip: Clip, start: int, frames: int, count: int, warp: float = 1.0) -> Floats:
    """Measure sub-bands of some mel frames of a clip, their means over it taken off, float32 [frames, count].

    ``warp``: what frequencies are multiplied by before.
    """
    if not count:
        return np.zeros((frames, 0), dtype=np.float32)
    whole = material.mels.of(clip)
    mel = np.concatenate([np.asarray(whole[start : start + frames], dtype=np.float32), timbre([whole])[None]])
    found = subbands(warped(mel, warp), count)
    parts: Floats = found[:-1] - found[-1]
    return parts


def warped(mel: Floats, factor: float) -> Floats:
    """Move log-mel spectra, [frames, 80], to frequencies so many times as high; the ends are repeated."""
    centres = mel_centres()
    position = np.interp(centres / factor, centres, np.arange(len(centres)))
    before = np.minimum(position.astype(np.intp), len(centres) - 2)
    share = (position - before).astype(np.float32)
    moved: Floats = mel[:, before] * (1 - share) + mel[:, before + 1] * share
    return moved


def stack(crops: list[list[Floats]]) -> Told:
    """Make a batch of crops of one length, each in the order of :class:`Told`."""
    return Told(*(torch.from_numpy(np.stack(column)) for column in zip(*crops, strict=True)))


def unit(vector: Floats) -> Floats:
    """Scale to unit length."""
    scaled: Floats = (vector / np.linalg.norm(vector)).astype(np.float32)
    return scaled
