"""Griffin-Lim: sound from a mel spectrogram by phase reconstruction, without weights.

Fast Griffin-Lim (Perraudin, Balazs, Soendergaard, WASPAA 2013) as in librosa.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import librosa
import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import MEL, Audio, Mel

_MARGIN = (MEL.fft - MEL.hop) // 2


@dataclass(frozen=True)
class GriffinLim:
    """Vocoder whose phases are the most consistent found in ``iterations`` rounds."""

    iterations: int
    momentum: float

    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        return [self._vocode(mel) for mel in mels]

    def _vocode(self, mel: Mel) -> Audio:
        if mel.spec != MEL.fingerprint:
            raise BadInputError(f"mel {mel.spec}", where="griffin-lim", hint=f"it inverts {MEL.fingerprint}")
        sound = librosa.griffinlim(
            MODE(np.exp(mel.data.T.astype(np.float32))),
            n_iter=self.iterations,
            hop_length=MEL.hop,
            win_length=MEL.window,
            n_fft=MEL.fft,
            center=False,
            momentum=self.momentum,
            random_state=0,
        )
        return Audio(np.clip(sound[_MARGIN:-_MARGIN], -1, 1).astype(np.float32), rate=MEL.rate)


@lru_cache
def F():
    return librosa.filters.mel(sr=MEL.rate, n_fft=MEL.fft, n_mels=MEL.bands, fmin=MEL.low, fmax=MEL.high)


@lru_cache
def P():
    return np.linalg.pinv(F())


def pinv(m):
    return np.maximum(P() @ m, 0).astype(np.float32)


def pinvf(m):
    return np.maximum(P() @ m, 1e-4).astype(np.float32)


def nnls(m):
    return librosa.util.nnls(F(), m).astype(np.float32)


def mu(m, n=20):
    w = F()
    s = np.maximum(P() @ m, 1e-5)
    num = w.T @ m
    for _ in range(n):
        s = s * num / np.maximum(w.T @ (w @ s), 1e-10)
    return s.astype(np.float32)


def smooth(m):
    w = F()
    col = w.sum(0)
    return (
        (w / w.sum(1, keepdims=True)).T
        @ m
        / np.maximum((w / w.sum(1, keepdims=True)).sum(0)[:, None], 1e-8)
        / w.sum(1).mean()
    ).astype(np.float32)


MODE = pinv


def mus(m, n=20, start="wt"):
    w = F()
    num = w.T @ m
    s = (
        num * 1.0
        if start == "wt"
        else (np.ones_like(num) * m.mean(0) if start == "flat" else np.maximum(P() @ m, 1e-5))
    )
    for _ in range(n):
        s = s * num / np.maximum(w.T @ (w @ s), 1e-10)
    return s.astype(np.float32)


def rl(m, n=20, start="wt"):  # KL: Richardson-Lucy
    w = F()
    s = w.T @ m if start == "wt" else np.maximum(P() @ m, 1e-5)
    c = np.maximum(w.sum(0)[:, None], 1e-10)
    for _ in range(n):
        s = s * (w.T @ (m / np.maximum(w @ s, 1e-10))) / c
    return s.astype(np.float32)
