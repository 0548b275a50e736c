"""The register of a voice: where its pitch lies, and how far it moves.

Pitch of each frame by the autocorrelation method of Boersma, "Accurate short-term analysis of the
fundamental frequency and the harmonics-to-noise ratio of a sampled sound" (Proc. Institute of Phonetic
Sciences 17, 1993), without its path search: a median does not mind a few octave errors.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from voxrelay.producer.level import Samples
from voxrelay.relay.clock import CONTENT_HOP, RATE

LOWEST, HIGHEST = 60.0, 500.0  # Hz
_FRAME = 800  # samples: three periods of the lowest pitch
_FFT = 2048
_CHUNK = 4096  # frames that are transformed at a time
_VOICED = 0.5  # of the normalised autocorrelation
_RANGE = 1e-3  # of the power of the loudest frames: speech is louder
_OCTAVE = 0.02  # what a peak must be higher by to be taken for the octave below
_SEMITONES = 12 / np.log(2)


class Register(BaseModel):
    """Pitch of a voice over its voiced frames: median and robust spread of ln(F0 in Hz).

    ``spread`` is 1.4826 times the median absolute deviation, the standard deviation where it is normal;
    ``voiced`` the share of frames that have a pitch. Zero all three where nothing is voiced.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    median: Annotated[float, Field(ge=0)]
    spread: Annotated[float, Field(ge=0)]
    voiced: Annotated[float, Field(ge=0, le=1)]

    @property
    def hertz(self) -> float:
        """Median pitch; 0 where nothing is voiced."""
        return float(np.exp(self.median)) if self.voiced else 0.0

    @property
    def semitones(self) -> float:
        """Spread."""
        return float(self.spread * _SEMITONES)

    @classmethod
    def of(cls, sound: Samples) -> "Register":
        """Measure sound, float32 [samples] at 16 kHz."""
        pitch = track(sound)
        voiced = np.log(pitch[pitch > 0])
        if not len(voiced):
            return cls(median=0, spread=0, voiced=0)
        median = float(np.median(voiced))
        spread = 1.4826 * float(np.median(np.abs(voiced - median)))
        return cls(median=median, spread=spread, voiced=len(voiced) / len(pitch))


def track(sound: Samples) -> NDArray[np.float64]:
    """Measure the pitch of sound, float32 [samples] at 16 kHz: Hz of each frame of 20 ms, 0 where unvoiced."""
    padded = np.pad(sound, (_FRAME - CONTENT_HOP) // 2)
    if len(padded) < _FRAME:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::CONTENT_HOP]
    found = [_pitch(frames[start : start + _CHUNK]) for start in range(0, len(frames), _CHUNK)]
    pitch, power = (np.concatenate(part) for part in zip(*found, strict=True))
    return np.where(power >= _RANGE * power.max(initial=0), pitch, 0.0)


def _pitch(frames: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pitch in Hz, 0 where unvoiced, and power of frames, [frames, samples]."""
    frames = frames - frames.mean(axis=1, keepdims=True)
    window = np.hanning(_FRAME)
    shortest, longest = int(RATE / HIGHEST), int(RATE / LOWEST)
    likeness = _autocorrelation(frames * window) / _autocorrelation(window[np.newaxis])
    lags = likeness[:, shortest - 1 : longest + 2]
    inner = lags[:, 1:-1]
    peak = (inner >= lags[:, :-2]) & (inner > lags[:, 2:])
    periods = np.arange(shortest, longest + 1)
    score = np.where(peak, inner - _OCTAVE * np.log2(periods / shortest), -np.inf)
    best = score.argmax(axis=1)
    rows = np.arange(len(frames))
    before, top, after = (lags[rows, best + step] for step in (0, 1, 2))
    bend = before - 2 * top + after
    period = periods[best] + 0.5 * (before - after) / np.where(bend < 0, bend, -1.0)
    voiced = peak[rows, best] & (top >= _VOICED)
    return np.where(voiced, RATE / period, 0.0), np.square(frames).mean(axis=1)


def _autocorrelation(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normalised autocorrelation of rows, up to the longest lag that is looked at."""
    spectrum = np.fft.rfft(frames, _FFT)
    found = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, _FFT)[:, : int(RATE / LOWEST) + 2]
    normalised: NDArray[np.float64] = found / np.maximum(found[:, :1], np.finfo(np.float64).tiny)
    return normalised
