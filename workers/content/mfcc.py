"""MFCC: a content encoder without weights (librosa), the baseline that runs anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np

from voxrelay.relay.clock import CONTENT_HOP, RATE
from voxrelay.relay.tensors import Audio, Content, Floats


@dataclass(frozen=True)
class Mfcc:
    coefficients: int
    bands: int
    fft: int = 640
    high: int = 8000
    low: int = 0
    energy: float = 1.0
    deltas: int = 1
    dweight: float = 1.0
    norm: str = "all"
    lifter: float = 0.0
    top_db: float = 80.0
    width: int = 5
    warp: float = 1.0
    kappa: float = 0.0

    def encode(self, clips: Sequence[Audio]) -> list[Content]:
        return [self._encode(clip) for clip in clips]

    def _encode(self, clip: Audio) -> Content:
        a = self.warp
        if self.kappa:
            f0 = librosa.yin(clip.data, fmin=60, fmax=400, sr=RATE, frame_length=1024, hop_length=320)
            e = librosa.feature.rms(y=clip.data, frame_length=1024, hop_length=320)[0][: len(f0)]
            a = np.clip((np.median(f0[e >= np.median(e)]) / 145) ** self.kappa, 0.8, 1.25)
        x = np.pad(clip.data, (self.fft - CONTENT_HOP) // 2, mode="reflect")
        mel = librosa.feature.melspectrogram(
            y=x,
            sr=RATE,
            n_fft=self.fft,
            hop_length=CONTENT_HOP,
            center=False,
            n_mels=self.bands,
            fmin=self.low * a,
            fmax=self.high * a,
        )
        db = librosa.power_to_db(mel, ref=np.max, top_db=self.top_db)
        c = librosa.feature.mfcc(S=db, n_mfcc=self.coefficients)
        w = np.ones(c.shape[1])
        if self.norm == "speech":
            e = db.max(0)
            w = (e > e.max() - 40).astype(float)
        w = w / w.sum()
        mu = (c * w).sum(1, keepdims=True)
        sd = np.sqrt((((c - mu) ** 2) * w).sum(1, keepdims=True))
        if self.norm != "mean":
            c = (c - mu) / np.maximum(sd, 1e-3)
        else:
            c = (c - mu) / 50
        if self.lifter:
            c *= (1 + np.arange(self.coefficients))[:, None] ** -self.lifter
        c[0] *= self.energy
        parts = [c]
        d = c
        for _ in range(self.deltas):
            d = librosa.feature.delta(d, width=self.width, mode="nearest")
            z = d / np.maximum(d.std(1, keepdims=True), 1e-3) * c.std(1, keepdims=True)
            parts.append(z * self.dweight)
        return Content(np.concatenate(parts).T.astype(np.float32).copy(), model="mfcc")


def load(coefficients: int = 20, bands: int = 40, **kw) -> Mfcc:
    return Mfcc(coefficients, bands, **kw)
