"""Converted speech is as loud as its source, moment by moment.

A mel model gives a voice its own level. The envelope of the source, over spans that the context of a window
covers, is a fact of the recording: windows agree on it where they meet, so nothing jumps at a seam. The content stage,
which hears the source first, measures it; the vocoder's need not decode the source once more.
"""

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.tensors import Audio, Floats, Loudness

_SPAN = 31  # frames of 20 ms, Hann-weighted: half of it is less than the context of a window
_FLOOR = 1e-5  # of power, -50 dBFS: what is quieter in both is left as it is
_MOST = 4.0  # 12 dB either way


def measure(source: Audio) -> Loudness:
    """Measure the envelope of a window of the source, float32 [samples] at 16 kHz, its speech at the common level."""
    frames = clock.content_frames(len(source.data))
    return Loudness(_envelope(source.data, clock.CONTENT_HOP, frames).astype(np.float32))


def follow(sound: Audio, source: Loudness) -> Audio:
    """Give sound, float32 [samples] at 22.05 kHz, the envelope of the window of the source that it was made from."""
    hop = clock.SOUND_RATE * clock.CONTENT_HOP // clock.RATE
    found = _envelope(sound.data, hop, len(source.data))
    gain = np.clip(np.sqrt((source.data + _FLOOR) / (found + _FLOOR)), 1 / _MOST, _MOST)
    return Audio(sound.data * _curve(gain.astype(np.float32), hop, len(sound.data)), rate=sound.rate)


def _curve(gain: Floats, hop: int, count: int) -> Floats:
    """Go in straight lines from the centre of each frame of ``hop`` samples to the next, float32 [count]."""
    beyond = max(1, count // hop + 2 - len(gain))
    ends = np.pad(gain, (1, beyond), mode="edge")
    way = ((np.arange(hop) + hop % 2 / 2) / hop).astype(np.float32)
    lines: Floats = ends[:-1, None] + np.diff(ends)[:, None] * way
    return lines.ravel()[hop // 2 :][:count]


def _envelope(samples: Floats, hop: int, frames: int) -> NDArray[np.float64]:
    """Return the smooth power of frames of ``hop`` samples, float64 [frames]; at the ends, of those there are."""
    power, whole = np.zeros(frames), min(len(samples) // hop, frames)
    power[:whole] = np.square(samples[: whole * hop]).reshape(whole, hop).mean(axis=1, dtype=np.float64)
    if whole < frames:
        power[whole] = np.square(samples[whole * hop :]).sum(dtype=np.float64) / hop
    kernel = np.hanning(_SPAN + 2)[1:-1]
    smooth: NDArray[np.float64] = np.convolve(power, kernel)[_SPAN // 2 :][:frames]
    weight: NDArray[np.float64] = np.convolve(np.ones(frames), kernel)[_SPAN // 2 :][:frames]
    return smooth / weight
