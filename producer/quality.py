"""What may be wrong with the recordings of a voice: too little speech, noise, clipping, somebody else in them.

The limits were read off the shared recordings, clean and with noise added, of one speaker and of two:
see ``docs/voices.md``.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import soundfile

from voxrelay.producer.level import SILENCE_DB, Samples, frame_powers, speech_level
from voxrelay.producer.recording import Recording
from voxrelay.producer.voice import Clip
from voxrelay.relay.tensors import Floats, Voice

ENOUGH_SPEECH = 10.0  # seconds
CLEAR_DB = 15.0  # of speech above the quietest twentieth of the frames
CLIPPED = 5e-4  # share of samples at the very peak
ALIKE = 0.7  # cosine of the two halves of one speaker's clips
_PEAK = 0.99
_BLOCK = 65_536
_ROUNDS = 10


def warnings(
    recordings: Iterable[Recording], sound: Samples, clips: Sequence[Clip], heard: Sequence[Voice]
) -> list[str]:
    """Say what may be wrong with a voice.

    Args:
        recordings: it was made from.
        sound: float32 [samples] at 16 kHz of all of them, at the common level.
        clips: that the sound was cut into.
        heard: the embedding of each clip.

    """
    clipped = [note for recording in recordings for note in _clipped(recording)]
    return [*_little(heard), *_noisy(sound), *clipped, *_several(clips, heard)]


def clearness(sound: Samples) -> float:
    """Measure how far speech stands above the quietest twentieth of the frames, in dB; digital silence is left out."""
    powers = frame_powers(sound)
    powers = powers[powers > 10 ** (SILENCE_DB / 10) / 1000]
    return speech_level(sound) - float(10 * np.log10(np.percentile(powers, 5))) if len(powers) else 0.0


def clipped_share(recording: Recording) -> float:
    """Count the samples of the file that lie within 1 % of its peak, as a share of all."""
    with soundfile.SoundFile(recording.path) as file:
        peak = max((float(np.abs(block).max()) for block in file.blocks(_BLOCK)), default=0.0)
        file.seek(0)
        at_peak = sum(int((np.abs(block) >= _PEAK * peak).sum()) for block in file.blocks(_BLOCK))
        return at_peak / max(file.frames * file.channels, 1) if peak else 0.0


def halves(embeddings: Floats) -> tuple[float, Floats]:
    """Divide clips in two by sound, as 2-means on the sphere that begins with the two least alike.

    Args:
        embeddings: float32 [clips, dimensions] of unit norm, two at least.

    Returns:
        The cosine of the two centres, and which clips are in the smaller half, [clips].

    """
    first, second = np.unravel_index((embeddings @ embeddings.T).argmin(), (len(embeddings),) * 2)
    centres, second_half = embeddings[[first, second]], np.zeros(len(embeddings), dtype=bool)
    for _ in range(_ROUNDS):
        second_half = (embeddings @ centres.T).argmax(axis=1) == 1
        if second_half.all() or not second_half.any():
            return 1.0, np.zeros(len(embeddings), dtype=bool)
        centres = np.stack([embeddings[half].mean(axis=0) for half in (~second_half, second_half)])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    smaller = second_half if 2 * second_half.sum() <= len(second_half) else ~second_half
    return float(centres[0] @ centres[1]), smaller


def _little(heard: Sequence[Voice]) -> list[str]:
    seconds = sum(voice.seconds for voice in heard)
    if seconds >= ENOUGH_SPEECH:
        return []
    return [f"only {seconds:.1f} s of speech in it: {ENOUGH_SPEECH:.0f} s or more sound more like the person"]


def _noisy(sound: Samples) -> list[str]:
    clear = clearness(sound)
    if clear >= CLEAR_DB:
        return []
    return [f"noisy: speech stands only {clear:.0f} dB above what is always there: the noise becomes part of the voice"]


def _clipped(recording: Recording) -> list[str]:
    share = clipped_share(recording)
    if share <= CLIPPED:
        return []
    return [f"{recording.path.name}: clipped, {share:.2%} of its samples are at the peak: record it softer"]


def _several(clips: Sequence[Clip], heard: Sequence[Voice]) -> list[str]:
    if len(heard) < 2:  # noqa: PLR2004 - nothing to compare
        return []
    likeness, smaller = halves(np.stack([voice.data for voice in heard]))
    if likeness >= ALIKE:
        return []
    starts = np.cumsum([0.0, *(clip.reference.seconds for clip in clips)])
    where = ", ".join(f"{starts[index]:.0f} s" for index in np.flatnonzero(smaller)[:5])
    what = f"two speakers? around {where} it sounds like somebody else"
    return [f"{what} ({likeness:.2f} alike, one person is above {ALIKE})"]
