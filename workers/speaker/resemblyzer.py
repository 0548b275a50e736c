"""Resemblyzer: the GE2E speaker encoder, with the weights inside its own package.

https://github.com/resemble-ai/Resemblyzer (Apache-2.0), after Wan et al. 2018, arXiv 1710.10467.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from resemblyzer import VoiceEncoder, normalize_volume, trim_long_silences
from resemblyzer.hparams import audio_norm_target_dBFS, vad_window_length

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Voice
from voxrelay.workers.runtime.placement import CPU, Placement

QUIETEST = 1e-6  # RMS of -120 dBFS, below the least step of 24 bits
SHORTEST_SPEECH = int(0.3 * clock.RATE)
VAD_WINDOW = vad_window_length * clock.RATE // 1000


class Resemblyzer:
    """Implements :class:`~voxrelay.workers.runtime.model.SpeakerModel`.

    The first embedding in a new environment waits for numba to compile librosa's mel code;
    later processes find it in numba's cache.
    """

    def __init__(self, placement: Placement) -> None:
        self._encoder: Any = VoiceEncoder("cpu", verbose=False)
        self._encoder.forward = placement.place(self._encoder)  # its own code calls it with partial utterances

    def embed(self, clips: Sequence[Audio]) -> list[Voice]:
        """Embed mono clips, float32 [samples] at 16 kHz, into unit vectors, float32 [256].

        A voice's ``seconds`` count the speech that the voice activity detector found, at least its
        window of 30 ms, so that a blend of nothing but whispers still has weights.

        Raises:
            BadInputError: a clip at another rate, or silent.

        """
        return [self._embed(clip) for clip in clips]

    def _embed(self, clip: Audio) -> Voice:
        sound, speech = _prepare(clip)
        vector = self._encoder.embed_utterance(sound)
        return Voice(vector.astype(np.float32), model="resemblyzer", seconds=max(speech, VAD_WINDOW) / clock.RATE)


def _prepare(clip: Audio) -> tuple[NDArray[np.float32], int]:
    """Raise the volume to -30 dBFS, cut long silences out, and count the samples of speech.

    Sound in which next to no speech was found is returned whole: it is still a voice.
    """
    if clip.rate != clock.RATE:
        raise BadInputError(f"a reference at {clip.rate} Hz", hint=f"the speaker encoder hears {clock.RATE} Hz")
    sound = clip.data.astype(np.float32)
    if not np.any(sound) or np.sqrt(np.mean(np.square(sound, dtype=np.float64))) < QUIETEST:
        raise BadInputError("a silent reference", hint="take a recording in which somebody speaks")
    loud = normalize_volume(sound, audio_norm_target_dBFS, increase_only=True)
    speech = trim_long_silences(loud) if len(loud) >= VAD_WINDOW else loud[:0]
    return (speech if len(speech) >= SHORTEST_SPEECH else loud), len(speech)


def load(placement: Placement = CPU) -> Resemblyzer:
    """Load the encoder, which has no options, where it computes."""
    return Resemblyzer(placement)
