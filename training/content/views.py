"""The same words as another voice, another room and another microphone would give them.

The encoder hears magnitudes only, so nothing here makes sound: no vocoder, no phases. Pitch moves
by the length of the analysis window (a window of ``n`` samples read as one of 512 is the sound played
``n / 512`` times as fast, at an unchanged pace of frames), formants by stretching the cepstral
envelope underneath the harmonics, which stay where pitch put them. Both cost less than the spectra
themselves; WORLD, which does the same with sound, takes longer than a training step. The rest,
equaliser, room, noise and masks (SpecAugment, Park et al. 2019, arXiv 1904.08779), works on bands.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from pydantic import dataclasses as pydantic
from torch.nn import functional

from voxrelay.training.crops import Range, Share
from voxrelay.workers.content import bands
from voxrelay.workers.content.bands import BANDS, HOP, WINDOW

_QUEFRENCY = 40  # samples at 16 kHz: 2.5 ms, below the period of all but the highest voices
_REACH = 6  # the room is heard for 2 ** 6 frames
_CURVES = 5  # of the equaliser
_QUIET = 1e-20


@pydantic.dataclass(frozen=True, kw_only=True, config={"extra": "forbid"})
class ViewConfig:
    """How recordings are disguised.

    Args:
        plain: share of views that are only brought to another level.
        semitones: by which pitch is moved.
        formants: factor by which they are moved, independently of pitch, log-uniform.
        level: dB that the speech is brought to, below full scale; the pools hear it at -23.
        equaliser: dB, largest gain or loss of a smooth curve over the bands.
        room: share of views with reverberation.
        decay: seconds in which it falls by 60 dB.
        noise: share of views with noise.
        ratio: dB of speech above noise.
        mask_frames: longest mask over time, frames of 10 ms; two a view.
        mask_bands: widest mask over bands; two a view.

    """

    plain: Share = 0.15
    semitones: Range = (-6.0, 6.0)
    formants: Range = (0.8, 1.25)
    level: Range = (-29.0, -19.0)
    equaliser: Annotated[float, Field(ge=0)] = 8.0
    room: Share = 0.3
    decay: Range = (0.1, 0.5)
    noise: Share = 0.5
    ratio: Range = (8.0, 40.0)
    mask_frames: Annotated[int, Field(ge=0)] = 16
    mask_bands: Annotated[int, Field(ge=0)] = 10


@dataclass(frozen=True)
class Warp:
    """How a voice is changed: ``pitch`` and ``formants`` are factors."""

    pitch: float = 1.0
    formants: float = 1.0

    @property
    def window(self) -> int:
        """Samples of the analysis window, even."""
        return 2 * round(WINDOW * self.pitch / 2)


class Views:
    """Draws views of recordings.

    Args:
        config: how.
        filters: Slaney's, float32 [80, 257].

    """

    def __init__(self, config: ViewConfig, filters: torch.Tensor) -> None:
        self._config, self._filters = config, filters

    def plain(self, sound: torch.Tensor) -> torch.Tensor:
        """Return the log bands of sound as it is: float32 [samples] to [samples / 160, 80]."""
        return bands.log_bands(sound[None], self._filters)[0]

    def envelope(self, sound: torch.Tensor) -> torch.Tensor:
        """Return the log bands of what lies under the harmonics of sound; shapes as for :meth:`plain`."""
        return bands.to_log(enveloped(sound) @ self._filters.T)

    def draw(self, sound: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
        """Return the log bands of one disguise of sound; shapes as for :meth:`plain`."""
        config = self._config
        gain = 10 ** ((random.uniform(*config.level) - _level(sound)) / 20)
        if random.random() < config.plain:
            return self.plain(sound * gain)
        warp = Warp(2 ** (random.uniform(*config.semitones) / 12), np.exp(random.uniform(*np.log(config.formants))))
        power = warped(sound * gain, warp) @ self._filters.T
        power = power * self._curve(random)
        if random.random() < config.room:
            power = _reverberate(power, random.uniform(*config.decay), random.uniform(0.02, 0.3))
        if random.random() < config.noise:
            power = power + self._noise(power, random)
        return self._masked(bands.to_log(power), random)

    def _curve(self, random: np.random.Generator) -> torch.Tensor:
        """Draw the gains of an equaliser, [80]."""
        most = self._config.equaliser
        places = np.arange(BANDS) / BANDS
        curve = sum(
            random.normal() / k * np.cos(np.pi * k * places + random.uniform(0, np.pi)) for k in range(1, _CURVES)
        )
        return torch.from_numpy(10 ** (np.clip(most / 2 * curve, -most, most) / 10)).float()

    def _noise(self, power: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
        """Draw noise of a random colour that fluctuates as noise in bands does."""
        below = 10 ** (-random.uniform(*self._config.ratio) / 10)
        tilt = np.exp(random.normal(0, 1.5) * np.linspace(-1, 1, BANDS)) * self._curve(random).numpy()
        shape = torch.from_numpy(tilt / tilt.mean()).float() * power.mean() * below
        degrees = (self._filters > 0).sum(dim=1).numpy().clip(1)
        flutter = random.standard_gamma(degrees, power.shape) / degrees
        return shape * torch.from_numpy(flutter).float()

    def _masked(self, log: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
        """Hide stretches of time and bands behind the recording's mean."""
        mean = log.mean(dim=0)
        for axis, most in ((0, self._config.mask_frames), (1, self._config.mask_bands)) * 2:
            width = int(random.integers(min(most, log.shape[axis] // 2) + 1))
            start = int(random.integers(log.shape[axis] - width + 1))
            hidden = log.narrow(axis, start, width)
            hidden.copy_(mean.expand(log.shape).narrow(axis, start, width))
        return log


def warped(sound: torch.Tensor, warp: Warp) -> torch.Tensor:
    """Return the power spectra of a voice of other pitch and formants.

    Args:
        sound: float32 [samples] at 16 kHz.
        warp: what to change.

    Returns:
        float32 [samples / 160, 257].

    """
    window = warp.window
    log = _log_magnitudes(sound, window)
    source = torch.arange(window // 2 + 1, dtype=torch.float32)
    goal = torch.arange(WINDOW // 2 + 1, dtype=torch.float32)
    here = goal.clamp(max=window // 2)
    cepstrum = log @ _cosines(source, window).T * _weights(window)
    # A formant that is to be at f was at f / formants; bins count windows, which pitch has changed.
    there = (goal * (window / WINDOW / warp.formants)).clamp(max=window // 2)
    moved = cepstrum @ (_cosines(there, window) - _cosines(here, window))
    fine = functional.pad(log, (0, max(0, WINDOW // 2 - window // 2)), mode="replicate")[:, : WINDOW // 2 + 1]
    if window < WINDOW:  # above the highest frequency that there was, the envelope alone
        beyond = goal > window // 2
        fine[:, beyond] = (cepstrum @ _cosines(here, window))[:, beyond]
    return (2 * (fine + moved)).exp()


def enveloped(sound: torch.Tensor) -> torch.Tensor:
    """Return the power spectra of the cepstral envelope alone, as :func:`warped`."""
    cepstrum = torch.fft.irfft(_log_magnitudes(sound, WINDOW), WINDOW)
    cepstrum[:, _QUEFRENCY + 1 : WINDOW - _QUEFRENCY] = 0
    return (2 * torch.fft.rfft(cepstrum).real).exp()


def _log_magnitudes(sound: torch.Tensor, window: int) -> torch.Tensor:
    """Return natural logarithms of magnitudes, [samples / 160, window / 2 + 1]."""
    margin = (window - HOP) // 2
    # Frames are centred where those of the pool's window are, to half a sample.
    padded = functional.pad(sound[None, None], (margin, window - HOP - margin), mode="reflect")[0, 0]
    return 0.5 * (bands.powers(padded.unfold(0, window, HOP), torch.hann_window(window)) + _QUIET).log()


def _cosines(bins: torch.Tensor, window: int) -> torch.Tensor:
    """Return cepstral cosines at bins of a window: [41, bins]."""
    return torch.cos(torch.arange(_QUEFRENCY + 1)[:, None] * bins * (2 * np.pi / window))


def _weights(window: int) -> torch.Tensor:
    """Return what turns sums over the bins of a spectrum into cepstral coefficients, [41].

    All of them whole: an envelope that is tapered leaves a part of every formant where it was.
    """
    weights = torch.full((_QUEFRENCY + 1,), 4 / window)
    weights[0] = 2 / window
    return weights


def _reverberate(power: torch.Tensor, decay: float, share: float) -> torch.Tensor:
    """Let every band die away over ``decay`` seconds: the late part of a room, as powers add."""
    fall = 10 ** (-6 * HOP / 16_000 / decay)
    tail = power
    for doubling in range(_REACH):
        step = 2**doubling
        if step < len(tail):
            tail = tail + fall**step * functional.pad(tail, (0, 0, step, 0))[:-step]
    return power + share * (1 - fall) * tail


def _level(sound: torch.Tensor) -> float:
    """Return the level of the louder frames of 20 ms in dB below full scale."""
    frames = sound[: len(sound) // 320 * 320].view(-1, 320).square().mean(dim=1)
    loud = frames[frames >= 0.1 * frames.max()]
    return float(10 * torch.log10(loud.mean() + 1e-9))
