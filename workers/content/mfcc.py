"""MFCC: content as the shape of the spectrum, without weights; the baseline that runs anywhere.

Mel-frequency cepstra (Davis and Mermelstein, IEEE TASSP 1980; https://librosa.org) with two
steps against what the speaker adds: the mean of the recording is taken off, and the frequency axis
is warped by the pitch, which goes with the length of the vocal tract (Faria and Gelbart, "Efficient
pitch-based estimation of VTLN warp factors", Interspeech 2005).

Scaling the variance as well, or adding deltas, made cross-speaker matches worse: both raise what
is mostly noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np

from voxrelay.relay.clock import CONTENT_HOP, RATE
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import Audio, Content, Floats
from voxrelay.workers.content.clips import check

_WINDOW = 1024  # long enough that single harmonics, and so pitch, leave few traces
_MARGIN = (_WINDOW - CONTENT_HOP) // 2
_PITCH = 145.0  # Hz, between men and women: a voice that is not warped
_WARPS = (0.85, 1.2)


@dataclass(frozen=True)
class Mfcc:
    """Implements :class:`~voxrelay.workers.runtime.model.SurveyingContentModel`."""

    coefficients: int
    bands: int
    highest: float

    def survey(self, clips: Sequence[Audio]) -> list[float]:
        """Measure a recording, float [N] at 16 kHz each: the warp, and the mean of each coefficient in dB."""
        for clip in clips:
            check(clip, "mfcc")
        warp = _warp([clip.data for clip in clips])
        cepstra = np.concatenate([self._cepstra(clip.data, warp) for clip in clips])
        return [warp, *map(float, cepstra.mean(axis=0))]

    def encode_surveyed(self, clips: Sequence[Audio], surveys: Sequence[list[float]]) -> list[Content]:
        """Encode mono clips, float [N] at 16 kHz, into float32 [N/320, coefficients] in dB.

        Frame ``i`` is centred on sample ``320 * i + 160``; its first coefficient is the level.

        Raises:
            BadInputError: a clip at another rate, or shorter than one frame.

        """
        return [self._encode(clip, survey) for clip, survey in zip(clips, surveys, strict=True)]

    def _encode(self, clip: Audio, survey: list[float]) -> Content:
        check(clip, "mfcc")
        warp, mean = survey[0], np.asarray(survey[1:], dtype=np.float32)
        return Content(np.ascontiguousarray(self._cepstra(clip.data, warp) - mean), model="mfcc")

    def _cepstra(self, sound: Floats, warp: float) -> Floats:
        """Compute cepstra, float32 [N/320, coefficients]."""
        cepstra: Floats = librosa.feature.mfcc(
            y=np.pad(sound.astype(np.float32), _MARGIN, mode="reflect"),
            sr=RATE,
            n_mfcc=self.coefficients,
            n_fft=_WINDOW,
            hop_length=CONTENT_HOP,
            center=False,
            n_mels=self.bands,
            fmax=self.highest * warp,
        )
        return cepstra.T.astype(np.float32)


def load(coefficients: int = 13, bands: int = 40, highest: float = 6400.0) -> Mfcc:
    """Choose the features.

    Args:
        coefficients: cepstral coefficients, the level included; from 1 to ``bands``.
        bands: mel bands.
        highest: upper edge of the bands in Hz, for a voice that is not warped; at most 6600.

    Raises:
        BadConfigError: an option out of its range.

    """
    if not 0 < coefficients <= bands or not 0 < highest * _WARPS[1] <= RATE / 2:
        what = f"coefficients {coefficients}, bands {bands}, highest {highest}"
        raise BadConfigError(what, where="mfcc", hint="allowed: coefficients from 1 to bands, highest up to 6600 Hz")
    return Mfcc(coefficients, bands, highest)


def _warp(sounds: Sequence[Floats]) -> float:
    """Estimate how far up a voice's spectrum lies, from its pitch in the louder half of the frames.

    Formants differ between speakers by much less than pitch does; the square root served
    conversions between men and women best.
    """
    frames = [_pitch_and_level(sound.astype(np.float32)) for sound in sounds]
    pitch, level = (np.concatenate(part) for part in zip(*frames, strict=True))
    typical = np.median(pitch[level >= np.median(level)])
    return float(np.clip(np.sqrt(typical / _PITCH), *_WARPS))


def _pitch_and_level(sound: Floats) -> tuple[Floats, Floats]:
    pitch = librosa.yin(sound, fmin=60, fmax=400, sr=RATE, frame_length=_WINDOW, hop_length=CONTENT_HOP)
    level = librosa.feature.rms(y=sound, frame_length=_WINDOW, hop_length=CONTENT_HOP)[0]
    return pitch, level
