"""Converted speech is as loud as its source, moment by moment.

A mel model gives a voice its own level. The envelope of the source, over spans that the context of a window
covers, is a fact of the recording: windows agree on it where they meet, so nothing jumps at a seam.
"""

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.tensors import Audio, Floats

_SPAN = 31  # frames of 20 ms, Hann-weighted: half of it is less than the context of a window
_FLOOR = 1e-5  # of power, -50 dBFS: what is quieter in both is left as it is
_MOST = 4.0  # 12 dB either way


def follow(sound: Audio, source: Audio) -> Audio:
    """Give sound the envelope of its source.

    Args:
        sound: float32 [samples] at 22.05 kHz.
        source: the window it was made from, float32 [samples] at 16 kHz, its speech at the common level.

    """
    frames = clock.content_frames(len(source.data))
    hop = clock.SOUND_RATE * clock.CONTENT_HOP // clock.RATE
    wanted, found = _envelope(source.data, clock.CONTENT_HOP, frames), _envelope(sound.data, hop, frames)
    gain = np.clip(np.sqrt((wanted + _FLOOR) / (found + _FLOOR)), 1 / _MOST, _MOST)
    centres = (np.arange(frames) + 0.5) * hop
    curve = np.interp(np.arange(len(sound.data)), centres, gain)
    return Audio((sound.data * curve).astype(np.float32), rate=sound.rate)


def _envelope(samples: Floats, hop: int, frames: int) -> NDArray[np.float64]:
    """Return the smooth power of frames of ``hop`` samples, float64 [frames]; at the ends, of those there are."""
    whole = np.zeros(frames * hop)
    whole[: len(samples)] = samples[: frames * hop]
    power = np.square(whole).reshape(frames, hop).mean(axis=1)
    kernel = np.hanning(_SPAN + 2)[1:-1]
    smooth: NDArray[np.float64] = np.convolve(power, kernel)[_SPAN // 2 :][:frames]
    weight: NDArray[np.float64] = np.convolve(np.ones(frames), kernel)[_SPAN // 2 :][:frames]
    return smooth / weight
