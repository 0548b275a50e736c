"""What acoustic models learn from: for every clip its content, prosody, mel and partial voices.

All of it at the common level, as the pools see it. Content comes from any encoder that the pools have: see
:mod:`~voxrelay.training.mel.listening`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.tensors import Audio
from voxrelay.training import features, level
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features, Rows
from voxrelay.training.mel.listening import Listener

PARTIAL, PARTIAL_STEP = 1.6, 0.77  # seconds


@dataclass(frozen=True)
class Material:
    """Features of all clips; ``prosody`` is Hz and dB, ``voices`` unit vectors of stretches of 1.6 s every 0.77 s."""

    content: Features
    prosody: Features
    mels: Features
    voices: Features

    @property
    def width(self) -> int:
        """Features of content."""
        return int(self.content.rows.shape[1])


def prepare(cache: Cache, listener: Listener) -> Material:
    """Open or compute the material of a cache at 16 kHz.

    Raises:
        BadConfigError: the listener's weights hold no encoder.
        StageError: it ended.

    """
    described = describe(cache)
    content = features.prepare(cache, f"content-{listener.key}", lambda clip: listener.encode(_audio(cache, clip)))
    return Material(content=content, **described)


def describe(cache: Cache) -> dict[str, Features]:
    """Open or compute what does not depend on an encoder."""
    return {
        "prosody": features.prepare(cache, "prosody", _lazily(_prosody, cache), "<f4"),
        "mels": features.prepare(cache, "mels", _lazily(_mel, cache)),
        "voices": features.prepare(cache, "voices", _lazily(_voices, cache)),
    }


def _lazily(make: Callable[[Cache], Callable[[Clip], Rows]], cache: Cache) -> Callable[[Clip], Rows]:
    """Import what a feature is made with when the first clip needs it: where all are made, nothing is imported."""
    made: list[Callable[[Clip], Rows]] = []

    def compute(clip: Clip) -> Rows:
        if not made:
            made.append(make(cache))
        return made[0](clip)

    return compute


def _audio(cache: Cache, clip: Clip) -> Audio:
    """Return the whole content frames of a clip at the common level."""
    sound = cache.floats(clip)
    return Audio(level.common(sound[: clock.content_frames(len(sound)) * clock.CONTENT_HOP]), clock.RATE)


def _prosody(cache: Cache) -> Callable[[Clip], Rows]:
    from voxrelay.workers.mel.pitch import Prosody

    def compute(clip: Clip) -> Rows:
        found = Prosody.of(_audio(cache, clip))
        return np.stack([found.hertz, found.loudness], axis=1)

    return compute


def _mel(cache: Cache) -> Callable[[Clip], Rows]:
    from voxrelay.workers.mel.spectrogram import log_mel

    return lambda clip: log_mel(_audio(cache, clip)).data


def _voices(cache: Cache) -> Callable[[Clip], Rows]:
    """Embed stretches of a recording; one shorter than a stretch is repeated to fill it."""
    from resemblyzer import VoiceEncoder
    from resemblyzer.audio import wav_to_mel_spectrogram

    encoder: Any = VoiceEncoder("cpu", verbose=False)
    length, step = round(PARTIAL * 100), round(PARTIAL_STEP * 100)

    def compute(clip: Clip) -> Rows:
        spectrum = wav_to_mel_spectrogram(_audio(cache, clip).data)
        while len(spectrum) < length:
            spectrum = np.concatenate([spectrum, spectrum])
        parts = np.stack([spectrum[i : i + length] for i in range(0, len(spectrum) - length + 1, step)])
        with torch.inference_mode():
            found: Rows = encoder(torch.from_numpy(parts)).numpy()
        return found

    return compute
