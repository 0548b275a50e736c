"""Frozen listeners on mel spectrograms: whose voice it is, and what is said.

Both hear other bands than a mel spectrogram has, at 100 frames/s. Their bands' powers are nearly linear
in those of the mel, so that one matrix without negative entries, fitted on recordings, stands between
them, and a gradient finds its way back.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL
from voxrelay.training import level
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features
from voxrelay.training.spectra import mel_filters
from voxrelay.workers.content import bands
from voxrelay.workers.content.encoder import Encoder

_FITTED_ON = 60  # recordings
_ROUNDS = 400
_RATE = 100 * MEL.hop / MEL.rate  # frames heard for a mel frame
_NOTHING = 1e-12


class Ear(nn.Module):
    """Turns log-mel spectrograms, [batch, frames, 80], into powers of other bands at 100 frames/s."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Hear; gives an even number of frames, [batch, 2 * n, bands]."""
        frames = 2 * round(mel.shape[1] * _RATE / 2)
        power = (2 * mel.float()).exp() @ self.matrix.T
        return functional.interpolate(power.transpose(1, 2), frames, mode="linear").transpose(1, 2)


class VoiceEar(nn.Module):
    """Says whose voice a mel spectrogram is in, as Resemblyzer would: unit vectors, [batch, 256]."""

    def __init__(self, cache: Cache, mels: Features) -> None:
        from resemblyzer import VoiceEncoder
        from resemblyzer.audio import wav_to_mel_spectrogram

        super().__init__()
        encoder: Any = VoiceEncoder("cpu", verbose=False)
        self.lstm, self.linear = encoder.lstm, encoder.linear
        self.ear = _fitted(cache, mels, lambda sound: wav_to_mel_spectrogram(sound)[1:])
        self.requires_grad_(False)  # noqa: FBT003 - torch's signature

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Listen to [batch, frames, 80]."""
        _, (hidden, _) = self.lstm(self.ear(mel))
        return functional.normalize(functional.relu(self.linear(hidden[-1])), dim=1, eps=1e-6)


class ContentEar(nn.Module):
    """Says what is said in a mel spectrogram: content as the encoder would, at the mel's rate."""

    def __init__(self, cache: Cache, mels: Features, encoder: Encoder) -> None:
        super().__init__()
        filters = torch.from_numpy(mel_filters(bands.SPEC))

        def heard(sound: np.ndarray) -> np.ndarray:
            return np.asarray(bands.log_bands(torch.from_numpy(sound)[None], filters)[0].exp())

        self.encoder = encoder.eval()
        self.ear = _fitted(cache, mels, heard)
        self.requires_grad_(False)  # noqa: FBT003 - torch's signature

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Listen to [batch, frames, 80]; gives [batch, frames, features]."""
        content = self.encoder(bands.to_log(self.ear(mel))).transpose(1, 2)
        return functional.interpolate(content, mel.shape[1], mode="linear").transpose(1, 2)


def _fitted(cache: Cache, mels: Features, heard: Callable[[np.ndarray], np.ndarray]) -> Ear:
    """Fit an ear to what is really heard, [frames, bands] of powers at 100 frames/s, of recordings spread evenly."""
    clips: Sequence[Clip] = cache.clips[:: max(1, len(cache.clips) // _FITTED_ON)]
    given, wanted = [], []
    for clip in clips:
        sound = cache.floats(clip)
        true = torch.from_numpy(np.asarray(heard(level.common(sound[: len(sound) // 320 * 320])), dtype=np.float32))
        mel = torch.from_numpy(np.asarray(mels.of(clip), dtype=np.float32))
        power = functional.interpolate((2 * mel).exp().T[None], len(true), mode="linear")[0].T
        given.append(power)
        wanted.append(true)
    return Ear(non_negative(torch.cat(given).double(), torch.cat(wanted).double()).float())


def non_negative(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Solve ``given @ matrix.T = wanted`` for a matrix without negative entries.

    By multiplicative updates (Lee and Seung 2001, NIPS 13), each row weighed so that quiet frames count too.
    """
    loud = (given.mean(dim=1, keepdim=True) + given.mean() * 1e-4).rsqrt()
    given, wanted = given * loud, wanted * loud
    gram, aim = given.T @ given, wanted.T @ given
    matrix = torch.full((wanted.shape[1], given.shape[1]), float(wanted.mean() / given.mean()), dtype=given.dtype)
    for _ in range(_ROUNDS):
        matrix = matrix * aim / (matrix @ gram + _NOTHING * aim.max())
    return matrix
