"""What acoustic models learn from: for every clip its content, prosody, mel and partial voices.

All of it at the common level, as the pools see it. Content comes from any encoder that
:mod:`~voxrelay.workers.content` has; here contentvec-lite, whose weights name the features.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import UnavailableError
from voxrelay.relay.tensors import MEL, Audio
from voxrelay.training import features, level
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features, Rows
from voxrelay.training.spectra import mel_filters
from voxrelay.workers.content import bands

VOICE = 256  # of a Resemblyzer embedding
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


def prepare(cache: Cache, encoder: Path) -> Material:
    """Open or compute the material of a cache at 16 kHz, content by exported weights of contentvec-lite.

    Raises:
        UnavailableError: there are no such weights.
        BadConfigError: they hold no encoder.

    """
    if not encoder.is_file():
        raise UnavailableError("no content encoder", where=str(encoder), hint="vox train content makes one")
    described = describe(cache)
    name = hashlib.sha256(encoder.read_bytes()).hexdigest()[:12]
    encode = _Encode(cache, encoder)
    content = features.prepare(cache, f"content-{name}", encode.width, encode)
    return Material(content=content, **described)


def describe(cache: Cache) -> dict[str, Features]:
    """Open or compute what does not depend on an encoder."""
    return {
        "prosody": features.prepare(cache, "prosody", 2, _lazily(_prosody, cache), "<f4"),
        "mels": features.prepare(cache, "mels", MEL.bands, _lazily(_mel, cache)),
        "voices": features.prepare(cache, "voices", VOICE, _lazily(_voices, cache)),
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


class _Encode:
    """Content of clips by contentvec-lite."""

    def __init__(self, cache: Cache, weights: Path) -> None:
        from voxrelay.workers.content.encoder import read

        self._cache, self._encoder = cache, read(weights).eval()
        self.width = int(self._encoder.neck.out_features)
        self._filters = torch.from_numpy(mel_filters(bands.SPEC))

    @torch.inference_mode()
    def __call__(self, clip: Clip) -> Rows:
        """Encode a clip, [frames, features]."""
        sound = torch.from_numpy(_audio(self._cache, clip).data)[None]
        found: Rows = self._encoder(bands.log_bands(sound, self._filters))[0].numpy()
        return found
