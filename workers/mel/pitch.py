"""The pitch and loudness of a recording, frame by frame, and a voice's register.

Pitch by DIO and StoneMask of WORLD (Morise, Yokomori and Ozawa 2016, IEICE Trans. E99-D(7);
https://github.com/JeremyCCHsu/Python-Wrapper-for-World-Vocoder).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.tensors import Audio, Floats

LOWEST, HIGHEST = 60.0, 500.0  # Hz
_STEP = 1000 * clock.CONTENT_HOP / clock.RATE / 2  # ms: every second frame is the centre of one of content
_SPEED = 4  # sound is searched for pitch at 4 kHz: a quarter of the time, and StoneMask refines it at the full rate
_SMOOTH = 5  # frames of content that loudness is averaged over
_QUIET = 1e-8  # -80 dBFS
_FEW = 10  # voiced frames: fewer say nothing of a register


@dataclass(frozen=True)
class Register:
    """Where a voice lies: ``median`` of its log F0 (Hz) and its ``spread``, half of the middle 68 %."""

    median: float
    spread: float


UNKNOWN = Register(median=float(np.log(145.0)), spread=0.2)  # between men and women


@dataclass(frozen=True)
class Prosody:
    """Pitch and loudness at 50 frames/s: ``hertz``, 0 where nothing is voiced, and ``loudness`` in dB of full scale."""

    hertz: Floats
    loudness: Floats

    @classmethod
    def of(cls, sound: Audio) -> "Prosody":
        """Measure sound at 16 kHz, float [N], at the centre of each of its N/320 frames."""
        import pyworld  # not where training goes on with what was measured elsewhere

        data = _whole_frames(sound)
        rough, times = pyworld.dio(data, clock.RATE, LOWEST, HIGHEST, frame_period=_STEP, speed=_SPEED)
        hertz = pyworld.stonemask(data, rough, times, clock.RATE)[1::2][: len(data) // clock.CONTENT_HOP]
        return cls(hertz.astype(np.float32), loudness(sound))

    def contour(self) -> Floats:
        """Return log F0, a straight line where nothing is voiced; constant where nothing is voiced at all."""
        voiced = np.flatnonzero(self.hertz)
        if not len(voiced):
            return np.full(len(self.hertz), UNKNOWN.median, dtype=np.float32)
        line = np.interp(np.arange(len(self.hertz)), voiced, np.log(self.hertz[voiced]))
        return line.astype(np.float32)


def loudness(sound: Audio) -> Floats:
    """Return the loudness of sound at 16 kHz, dB of full scale, float32 [N/320]."""
    power = np.square(_whole_frames(sound)).reshape(-1, clock.CONTENT_HOP).mean(axis=1)
    window = np.hanning(_SMOOTH + 2)[1:-1]
    smooth = np.convolve(np.pad(power, _SMOOTH // 2, mode="edge"), window / window.sum(), "valid")
    decibels: Floats = (10 * np.log10(smooth + _QUIET)).astype(np.float32)
    return decibels


def _whole_frames(sound: Audio) -> NDArray[np.float64]:
    return sound.data[: clock.content_frames(len(sound.data)) * clock.CONTENT_HOP].astype(np.float64)


def register(hertz: Sequence[NDArray[np.floating]]) -> Register:
    """Return the register of a voice from the pitch of its recordings, 0 where unvoiced."""
    voiced = np.concatenate([frames[frames > 0] for frames in hertz])
    if len(voiced) < _FEW:
        return UNKNOWN
    low, middle, high = np.percentile(np.log(voiced), (16, 50, 84))
    return Register(float(middle), max(float(high - low) / 2, 0.02))
