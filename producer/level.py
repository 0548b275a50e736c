"""How loud a recording's speech is, and where nothing is said, measured on frames of 20 ms."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from voxrelay.relay import clock

Samples = NDArray[np.float32]
Powers = NDArray[np.float64]

# All speech is brought to one level before it is encoded, and the result back to the source's.
LEVEL_DB = -23.0
SILENCE_DB = -60.0
# A pause is this far below the speech around it, and this many frames long (0.2 s): shorter ones
# are the closures of plosives.
PAUSE_DB = -40.0
PAUSE_FRAMES = 10


class Meter:
    """Listens to sound at 16 kHz that comes in blocks, float32 [samples], and keeps the power of its frames."""

    def __init__(self) -> None:
        self._powers: list[Powers] = []
        self._rest = np.zeros(0, dtype=np.float32)
        self._length = 0

    def add(self, block: Samples) -> None:
        """Hear a block."""
        self._length += len(block)
        sound = np.concatenate([self._rest, block])
        whole = clock.content_frames(len(sound)) * clock.CONTENT_HOP
        self._powers.append(frame_powers(sound[:whole]))
        self._rest = sound[whole:]

    @property
    def gain(self) -> float:
        """Factor that brings the speech to the common level; 1 for silence."""
        level = _level(np.concatenate(self._powers))
        return 1.0 if level < SILENCE_DB else float(10 ** ((LEVEL_DB - level) / 20))

    @property
    def quiet(self) -> tuple[tuple[int, int], ...]:
        """Stretches (start, stop) in samples, of 0.2 s or more, in which every frame is silent.

        They lie on the 20 ms grid but for the end of the recording. Silent is what is at or below -60 dBFS
        and 40 dB below the speech; where no frame is louder than that, all is one stretch.
        """
        end = np.square(self._rest, dtype=np.float64).mean(keepdims=True) if len(self._rest) else np.zeros(0)
        powers = np.concatenate([*self._powers, end])
        silence = 10 ** (SILENCE_DB / 10)
        pause = 10 ** ((_level(np.concatenate(self._powers)) + PAUSE_DB) / 10)
        limit = silence if powers.max(initial=0) <= silence else min(silence, pause)
        return tuple(
            (start * clock.CONTENT_HOP, min(stop * clock.CONTENT_HOP, self._length))
            for start, stop in _runs(powers <= limit)
            if stop - start >= PAUSE_FRAMES
        )


def speech_level(samples: Samples) -> float:
    """Measure the level of the speech in dBFS: of 20 ms frames, those within 30 dB of the loudest."""
    return _level(frame_powers(samples))


def frame_powers(samples: Samples) -> Powers:
    """Return the power of each frame of 20 ms at 16 kHz, float64 [frames]; what does not fill one is left out."""
    whole = samples[: clock.content_frames(len(samples)) * clock.CONTENT_HOP]
    powers: Powers = np.square(whole.reshape(-1, clock.CONTENT_HOP), dtype=np.float64).mean(axis=1)
    return powers


def _level(powers: Powers) -> float:
    loud = powers[powers >= powers.max(initial=0) / 1000]
    return float(10 * np.log10((loud.mean() if len(loud) else 0) + 1e-12))


def _runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield first and one past the last of each run of true flags."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return zip(edges[::2], edges[1::2], strict=True)
