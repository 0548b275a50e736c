"""Join converted windows: cut the context away, cross-fade the seams, restore level and silence."""

from collections.abc import Sequence

import numpy as np

from voxrelay.producer.recording import Samples
from voxrelay.relay import clock
from voxrelay.relay.job import Span

# Half of the fade around a seam, and the fade into silence, in samples at 22.05 kHz: 10 ms.
HALF_FADE = clock.SOUND_PER_HOP // 2


class Joiner:
    """Turns windows of sound, given in order, into one stream at 22.05 kHz.

    Args:
        windows: the plan, in samples at 16 kHz.
        gain: what the source was multiplied with; the stream is brought back to the source's level.
        quiet: stretches of the source that are silent, in samples at 16 kHz; they stay so.

    """

    def __init__(self, windows: Sequence[Span], gain: float, quiet: Sequence[tuple[int, int]]) -> None:
        self.windows, self._level = windows, np.float32(1 / gain)
        self._quiet = [(clock.sound_samples(start), clock.sound_samples(stop)) for start, stop in quiet]
        self._next = self._position = 0
        self._tail = np.zeros(0, dtype=np.float32)

    @property
    def total(self) -> int:
        """Samples of the whole stream."""
        return clock.sound_samples(self.windows[-1].keep_to)

    def add(self, sound: Samples | None) -> Samples:
        """Take the sound of the next window, float32 [samples]; None leaves a gap. Return what is final."""
        first, last = self._next == 0, self._next == len(self.windows) - 1
        piece = self._heard(self._next, sound)
        self._next += 1
        if not first:
            ramp = np.linspace(0, 1, 2 * HALF_FADE, dtype=np.float32)
            piece[: 2 * HALF_FADE] = piece[: 2 * HALF_FADE] * ramp + self._tail * (1 - ramp)
        if not last:
            self._tail, piece = piece[-2 * HALF_FADE :], piece[: -2 * HALF_FADE]
        finished: Samples = np.clip(piece * self._level * self._presence(len(piece)), -1, 1)
        self._position += len(piece)
        return finished

    def resume(self, index: int, sound: Samples | None) -> int:
        """Go on after window ``index``, given its sound; return how many samples were final by then."""
        self._next = index + 1
        if index == len(self.windows) - 1:
            self._position = self.total
        else:
            self._tail = self._heard(index, sound)[-2 * HALF_FADE :]
            self._position = clock.sound_samples(self.windows[index].keep_to) - HALF_FADE
        return self._position

    def _heard(self, index: int, sound: Samples | None) -> Samples:
        """Cut the context of a window away, but for what the fades at its seams need."""
        span = self.windows[index]
        begin = clock.sound_samples(span.keep_from) - (HALF_FADE if index else 0)
        end = clock.sound_samples(span.keep_to) + (HALF_FADE if index < len(self.windows) - 1 else 0)
        if sound is None:
            return np.zeros(end - begin, dtype=np.float32)
        origin = clock.sound_samples(span.start)
        heard: Samples = sound[begin - origin : end - origin].copy()
        return heard

    def _presence(self, length: int) -> Samples:
        """Return 0 within silence and 1 outside it, with short ramps between, for what comes next."""
        presence = np.ones(length, dtype=np.float32)
        for start, stop in self._quiet:
            begin, end = max(start - self._position, 0), min(stop - self._position, length)
            if begin < end:
                place = np.arange(begin, end) + self._position
                into = np.where(start == 0, np.inf, place - start) / HALF_FADE
                out_of = np.where(stop >= self.total, np.inf, stop - 1 - place) / HALF_FADE
                presence[begin:end] = 1 - np.clip(np.minimum(into, out_of), 0, 1)
        return presence
