"""What a recogniser reads: pocketsphinx, with the English model inside its package.

Weak, but offline. It is held against its own reading of the untouched source, so that what counts is
what a conversion changed (https://github.com/cmusphinx/pocketsphinx).
"""

import re

import numpy as np
from pocketsphinx import Decoder
from rapidfuzz.distance import Levenshtein

from voxrelay.checks.judges.sound import RATE, Samples

# Hypotheses and words a frame: less than half the time, and a round trip is misread little more often.
_BEAM = {"maxhmmpf": 3000, "maxwpf": 10}


class Reader:
    """The judge; the same sound is read alike, whatever was read before."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=RATE, cmn="batch", loglevel="FATAL", **_BEAM)

    def read(self, sound: Samples) -> str:
        """Read float32 [samples] at 16 kHz; empty if there are no words."""
        self._decoder.reinit_feat()  # forgets the noise of what was read before
        self._decoder.start_utt()
        frames = np.clip(sound * 32_767, -32_768, 32_767).astype("<i2")
        self._decoder.process_raw(frames.tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""


def plain(text: str) -> str:
    """Write a text as the recogniser does: small letters and apostrophes."""
    return " ".join(re.sub(r"[^a-z' ]+", " ", text.lower()).split())


def character_errors(reading: str, wanted: str) -> float | None:
    """Return the edits per character of what was wanted; None if that is nothing."""
    return Levenshtein.distance(wanted, reading) / len(wanted) if wanted else None


def word_errors(reading: str, wanted: str) -> float | None:
    """Return the edits per word of what was wanted; None if that is nothing."""
    words = wanted.split()
    return Levenshtein.distance(words, reading.split()) / len(words) if words else None
