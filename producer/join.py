"""Join converted windows into one stream: cut the context away, cross-fade the seams, keep pauses silent.

Two windows hear the same context, but a vocoder that guesses phases gives each phases of its own. As in SOLA
(Roucos and Wilgus, ICASSP 1985) a window is moved to where it runs along with the one before it; unlike there
it is moved from its own place, so that nothing drifts. What still differs is faded at constant power.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxrelay.producer.level import Samples
from voxrelay.relay import clock
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Span

# Half of the fade around a seam, in samples at 22.05 kHz: 20 ms. The longer, the less a seam stands out
# (tests/limits/seams.py).
HALF_FADE = clock.SOUND_PER_HOP
# How far a window is moved at most, in samples: 10 ms either way, a period of 50 Hz in all.
REACH = HALF_FADE // 2
# All of the fade into a pause: 10 ms.
PAUSE_FADE = clock.SOUND_PER_HOP // 2
# What moving a window so far must gain in correlation: equals stay where they are.
_MOVING_COSTS = 0.05
_NOTHING = 1e-20


class Joiner:
    """Turns windows of sound, given in order, into one stream at 22.05 kHz.

    Args:
        windows: the windows, in samples at 16 kHz, as ``clock.plan_windows`` cuts them.
        gain: factor that the source was brought to the common level with; it is taken back.
        quiet: stretches (start, stop) of the source, in samples at 16 kHz, in which the stream is
            silent, but for a fade of 10 ms at each edge within them.

    Attributes:
        shift: samples by which the last window that was given is heard earlier (or, if negative, later).

    """

    def __init__(self, windows: list[Span], gain: float, quiet: Sequence[tuple[int, int]]) -> None:
        self._windows = windows
        self._level = np.float32(1 / gain)
        self._quiet = [(clock.sound_samples(start), clock.sound_samples(stop)) for start, stop in quiet]
        context = windows[1].keep_from - windows[1].start if len(windows) > 1 else 0
        self._half = min(HALF_FADE, clock.sound_samples(context))
        self._reach = min(REACH, (clock.sound_samples(context) - self._half) // 2)
        self._ramp = np.linspace(0, 1, 2 * self._half, dtype=np.float32)
        self._next, self.shift = 0, 0
        self._tail = np.zeros(0, dtype=np.float32)

    @property
    def total(self) -> int:
        """Samples of the whole stream."""
        return self._final(len(self._windows) - 1)

    def add(self, sound: Samples | None) -> Samples:
        """Take the sound of the next window, float32 [samples], or None for silence in its place.

        Returns what is final of the stream and was not returned before, in -1..1.

        Raises:
            StageError: there is less sound than the window is long.

        """
        index, first = self._next, self._next == 0
        self.shift = 0 if first else self._lag(index, sound)
        piece = self._piece(index, sound)
        if not first:
            faded = len(self._ramp)
            piece[:faded] = _fade(self._tail, piece[:faded], self._ramp)
        begin = 0 if first else self._final(index - 1)
        keep = self._final(index) - begin
        self._next, self._tail = index + 1, piece[keep:]
        return self._finish(piece[:keep], begin)

    def resume(self, index: int, sound: Samples | None, shift: int) -> int:
        """Go on as if window ``index``, with this sound, had just been added and come to this shift.

        Returns how many samples of the stream were final by then.
        """
        begin = 0 if index == 0 else self._final(index - 1)
        self._next, self.shift = index + 1, shift
        self._tail = self._piece(index, sound)[self._final(index) - begin :]
        return self._final(index)

    def _final(self, index: int) -> int:
        """Count the samples that are final once window ``index`` was added."""
        end = clock.sound_samples(self._windows[index].keep_to)
        return end if index == len(self._windows) - 1 else end - self._half

    def _bounds(self, index: int) -> tuple[int, int]:
        """Return what is heard of a window, half a fade beyond each seam included, if it stays in its place."""
        span, last = self._windows[index], len(self._windows) - 1
        origin = clock.sound_samples(span.start)
        begin = clock.sound_samples(span.keep_from) - origin - (0 if index == 0 else self._half)
        end = clock.sound_samples(span.keep_to) - origin + (0 if index == last else self._half)
        return begin, end

    def _lag(self, index: int, sound: Samples | None) -> int:
        """Find where a window runs along with the end of the one before it."""
        begin, end = self._bounds(index)
        if sound is None or len(sound) < end or not len(self._tail):
            return 0
        high = min(self._reach, len(sound) - end)  # there is nothing beyond the end of the last window
        lags = np.arange(high - 2 * self._reach, high + 1)
        around = sound[begin + lags[0] : begin + high + len(self._tail)].astype(np.float64)
        power = (
            np.convolve(around**2, np.ones(len(self._tail)), "valid") * np.square(self._tail, dtype=np.float64).sum()
        )
        likeness = np.correlate(around, self._tail.astype(np.float64), "valid") / np.sqrt(power + _NOTHING)
        return int(lags[np.argmax(likeness - _MOVING_COSTS * np.abs(lags) / REACH)])

    def _piece(self, index: int, sound: Samples | None) -> Samples:
        """Return what is heard of a window, half a fade beyond each seam included."""
        begin, end = self._bounds(index)
        if sound is None:
            return np.zeros(end - begin, dtype=np.float32)
        if len(sound) < end:
            raise StageError(f"window {index} became {len(sound)} samples of sound, {end} are needed")
        return sound[begin + self.shift : end + self.shift].astype(np.float32)

    def _finish(self, piece: Samples, begin: int) -> Samples:
        """Bring a piece of the stream, from sample ``begin`` on, to its level, and silence its pauses."""
        piece = piece * self._level
        for start, stop in self._quiet:
            low, high = max(start, begin), min(stop, begin + len(piece))
            if low < high:
                piece[low - begin : high - begin] *= self._pause(start, stop, np.arange(low, high))
        return np.clip(piece, -1, 1)

    def _pause(self, start: int, stop: int, position: NDArray[np.int_]) -> Samples:
        """Return the factors, float32, at some positions of a pause; it has no edge where the stream has none."""
        after = 1 - (position - start) / PAUSE_FADE if start > 0 else np.zeros(len(position))
        before = 1 - (stop - 1 - position) / PAUSE_FADE if stop < self.total else np.zeros(len(position))
        return np.maximum(np.maximum(after, before), 0).astype(np.float32)


def _fade(old: Samples, new: Samples, ramp: Samples) -> Samples:
    """Fade from one sound to another; however alike they are, the power stays where it is."""
    powers = np.square(old, dtype=np.float64).sum() * np.square(new, dtype=np.float64).sum()
    likeness = max(0.0, float(old.astype(np.float64) @ new) / float(np.sqrt(powers + _NOTHING)))
    norm = np.sqrt((1 - ramp) ** 2 + ramp**2 + 2 * likeness * ramp * (1 - ramp))
    return np.asarray((old * (1 - ramp) + new * ramp) / norm, dtype=np.float32)
