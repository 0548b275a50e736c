"""The source's own waveform at another pitch: what a throat does, without what a mouth makes of it.

Periods of the source are cut out around its pitch marks and set down again at the asked distance (TD-PSOLA: Moulines
and Charpentier, "Pitch-synchronous waveform processing techniques", Speech Communication 9, 1990); what has no voice
stays as it is. Its spectral envelope is still the source's, which :mod:`~voxrelay.workers.vocoder.excited` replaces.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Audio, Floats, Melody

_PITCHES = (30.0, 2000.0)  # Hz: what is beyond is no voice
_HOP = clock.SOUND_PER_HOP  # samples of a frame of the melody
_NEAR = 0.2  # of a period: so far from where a pitch mark is expected it is looked for
_SHAPE = 0.6  # of a period, to both sides of a mark: what the next one has to look like
_REACH = 4410  # samples, 0.2 s: so far from a seam both windows know the sound and its pitch
_FEWEST = 2.0  # periods: a voice that is shorter stays where it is
_FADE = 220  # samples, 10 ms: from what has a voice to what has none
_THIN = 0.5  # of a window: where periods hardly overlap they are not made louder than this
_QUIET = 1e-9
_LONGEST = 1024  # samples: more than a period
_FINER = 4  # times: periods are set down to a quarter of a sample, else what is above 2 kHz is roughened


@dataclass(frozen=True)
class _Run:
    """Samples from ``begin`` to ``end`` that have a voice, and the ``anchor`` from which their periods are counted."""

    begin: int
    end: int
    anchor: int


def move(source: Audio, melody: Melody, seams: Sequence[int] = ()) -> Audio:
    """Move a window's pitch.

    Args:
        source: float32 [samples] at 16 kHz.
        melody: of the same window.
        seams: where the window meets others, in samples at 22.05 kHz. Periods are counted from the strongest place near
            it: both windows hear that alike, so that their periods lie alike as well.

    Returns:
        float32 [256 * mel frames] at 22.05 kHz.

    """
    count = MEL.hop * clock.mel_frames(len(melody.data))
    sound = soxr.resample(source.data, clock.RATE, clock.SOUND_RATE)[:count].astype(np.float32)
    sound = np.pad(sound, (0, count - len(sound)))
    hertz = np.where(melody.data[:, 0] > 0, melody.data[:, 0].clip(*_PITCHES), 0)
    own, asked = _by_sample(hertz, count), _by_sample(melody.data[:, 1].clip(*_PITCHES), count)
    finer = soxr.resample(sound, clock.SOUND_RATE, _FINER * clock.SOUND_RATE)
    moved, weight, share = np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32)
    for run in _runs(sound, hertz, seams):
        marks = _marks(sound, own, run)
        if len(marks) > 1:
            _set_down(finer, marks, asked, run, (moved, weight))
            share[run.begin : run.end] = 1
    fade = np.hanning(_FADE + 2)[1:-1].astype(np.float32)
    share = np.convolve(share, fade / fade.sum(), "same")
    return Audio(sound + share * (moved / np.maximum(weight, _THIN) - sound), rate=clock.SOUND_RATE)


def _by_sample(hertz: Floats, count: int) -> Floats:
    """Read frames' pitch at every sample, in straight lines; through frames without a voice, from voice to voice."""
    voiced = np.flatnonzero(hertz)
    if not len(voiced):
        return np.zeros(count, np.float32)
    return np.interp(np.arange(count), (voiced + 0.5) * _HOP, hertz[voiced]).astype(np.float32)


def _runs(sound: Floats, hertz: Floats, seams: Sequence[int]) -> Iterator[_Run]:
    """Find what has a voice throughout; what reaches from one seam to the next is two runs that meet between them."""
    voiced = np.concatenate([[0], hertz > 0, [0]])
    edges = np.flatnonzero(np.diff(voiced)) * _HOP
    for begin, end in zip(edges[::2].tolist(), np.minimum(edges[1::2], len(sound)).tolist(), strict=True):
        if (end - begin) * hertz[begin // _HOP] < _FEWEST * clock.SOUND_RATE:
            continue
        near = [seam for seam in sorted(seams) if begin + _HOP < seam + _REACH and seam - _REACH < end - _HOP]
        regions = [(max(begin, seam - _REACH), min(end, seam + _REACH)) for seam in near] or [(begin, end)]
        between = [(one + other) // 2 for one, other in itertools.pairwise(near)]
        for first, last, (low, high) in zip([begin, *between], [*between, end], regions, strict=True):
            yield _Run(first, last, low + int(np.abs(sound[low:high]).argmax()))


def _marks(sound: Floats, hertz: Floats, run: _Run) -> Floats:
    """Follow the periods of a voice from its anchor both ways: a mark in each, where it looks like the one before."""
    after = list(_followed(sound, hertz, run, 1))
    before = list(_followed(sound, hertz, run, -1))
    return np.array([*before[::-1], run.anchor, *after])


def _followed(sound: Floats, hertz: Floats, run: _Run, way: int) -> Iterator[float]:
    padded, mark = np.pad(sound, _LONGEST), float(run.anchor)  # what is beyond the window looks like nothing
    while True:
        here = round(mark)
        period = clock.SOUND_RATE / float(hertz[here])
        half, near = int(_SHAPE * period), max(int(_NEAR * period), 1)
        first = round(mark + way * period) - near
        if first < run.begin or first + 2 * near >= run.end:
            return
        shape = padded[_LONGEST + here - half :][: 2 * half + 1]
        there = padded[_LONGEST + first - half :][: 2 * (near + half) + 1]
        power = np.cumsum(np.concatenate([[0.0], np.square(there, dtype=np.float64)]))
        likeness = np.correlate(there, shape, "valid") / np.sqrt(power[2 * half + 1 :] - power[: 2 * near + 1] + _QUIET)
        mark += first - here + _summit(likeness)
        yield mark


def _summit(values: Floats) -> float:
    """Return where a curve is highest, between its points by the parabola through three of them."""
    best = int(values.argmax())
    if not 0 < best < len(values) - 1:
        return float(best)
    left, top, right = (float(value) for value in values[best - 1 : best + 2])
    bend = left - 2 * top + right
    return best + (0.5 * (left - right) / bend if bend < 0 else 0.0)


def _set_down(finer: Floats, marks: Floats, asked: Floats, run: _Run, into: tuple[Floats, Floats]) -> None:
    """Add up periods, each around the mark that is nearest to where it is set down.

    They reach as far as the next mark or the next place, whichever is nearer: what is set down closer than it was would
    sound with its neighbours' periods as well.
    """
    moved, weight = into
    centres = np.array(_centres(asked, run))
    after = np.searchsorted(marks, centres).clip(1, len(marks) - 1)
    nearest = np.where(centres - marks[after - 1] < marks[after] - centres, after - 1, after)
    halves = np.minimum(np.diff(marks)[nearest.clip(max=len(marks) - 2)], clock.SOUND_RATE / asked[centres.astype(int)])
    for centre, mark, half in zip(centres.tolist(), marks[nearest].tolist(), halves.tolist(), strict=True):
        first = math.ceil(centre - min(half, mark, centre))
        last = math.floor(centre + min(half, len(moved) - 1 - mark, len(moved) - 1 - centre))
        window = _window(np.arange(first, last + 1) - centre, half)
        begin = round(_FINER * (first + mark - centre))
        moved[first : last + 1] += finer[begin::_FINER][: len(window)] * window
        weight[first : last + 1] += window


def _centres(asked: Floats, run: _Run) -> list[float]:
    """Count periods of the asked pitch from the anchor to both ends."""
    found, place = [], float(run.anchor)
    while place < run.end:
        found.append(place)
        place += clock.SOUND_RATE / float(asked[int(place)])
    place = float(run.anchor)
    while (place := place - clock.SOUND_RATE / float(asked[int(place)])) >= run.begin:
        found.append(place)
    return sorted(found)


def _window(places: Floats, half: float) -> Floats:
    window: Floats = (0.5 + 0.5 * np.cos(np.pi / half * places)).astype(np.float32)
    return window
