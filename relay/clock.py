"""Rates and frame counts, and the windows that a recording is cut into.

Recordings enter at 16 kHz; content runs at 50 frames/s; mels and sound leave at 22.05 kHz.
All three clocks meet every 20 ms, and a window of 5.12 s is exactly 81,920 samples, 256 content
frames, 441 mel frames and 112,896 samples of sound, so that nothing drifts.
"""

from dataclasses import dataclass

RATE = 16_000
CONTENT_HOP = 320
SOUND_RATE = 22_050
MEL_HOP = 256
SOUND_PER_HOP = SOUND_RATE * CONTENT_HOP // RATE  # 441 samples of sound in one content frame


def to_hop(samples: int) -> int:
    """Round a length at 16 kHz up to whole content frames of 320 samples."""
    return -(-samples // CONTENT_HOP) * CONTENT_HOP


def content_frames(samples: int) -> int:
    """Count the content frames of ``samples`` at 16 kHz: exactly N/320, rounded down."""
    return samples // CONTENT_HOP


def mel_frames(frames: int) -> int:
    """Count the mel frames that cover ``frames`` content frames: 256 give 441."""
    return -(-frames * SOUND_PER_HOP // MEL_HOP)


def sound_samples(samples: int) -> int:
    """Convert a length or position at 16 kHz to 22.05 kHz, rounded to the nearest sample."""
    return (samples * SOUND_RATE + RATE // 2) // RATE


@dataclass(frozen=True)
class Window:
    """A stretch of a recording that is converted on its own (samples at 16 kHz).

    ``start`` and ``length`` include the context; ``keep_from`` and ``keep_to`` bound the part
    that is heard. All lie on the 20 ms grid but for the end of a recording's last window.
    """

    start: int
    length: int
    keep_from: int
    keep_to: int


def plan_windows(samples: int, length: int, context: int, first: int = 0) -> list[Window]:
    """Cut ``samples`` at 16 kHz into windows of ``length`` that overlap by two contexts.

    The last window is moved back rather than padded; a recording shorter than one window is its
    own length, rounded up to 20 ms. ``first``: length of the first window where there are several, so
    that its sound is there sooner; two contexts more at most if that saves a window. 0: as the others.
    Of two windows both are as long as half of the recording takes, but not shorter than ``first``.
    All three are multiples of 320 samples.
    """
    padded = to_hop(samples)
    if padded <= length:
        return [Window(0, padded, 0, samples)]
    lead, stride = first or length, length - 2 * context
    rest = (padded - lead) % stride
    if rest <= 2 * context and lead + rest <= length:
        lead += rest
    if padded <= lead + stride:
        lead = length = max(lead, to_hop(padded // 2 + context))
    starts = [0, *range(lead - 2 * context, padded - length, stride), padded - length]
    seams = [0] + [start + context for start in starts[1:]] + [samples]
    lengths = [lead] + [length] * (len(starts) - 1)
    return [Window(start, lengths[i], seams[i], seams[i + 1]) for i, start in enumerate(starts)]
