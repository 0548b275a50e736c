"""DNSMOS P.835: how clean speech sounds, judged by a model of listeners.

Reddy, Gopal and Cutler, ICASSP 2022, arXiv 2110.01763; https://github.com/microsoft/DNS-Challenge.
"""

from pathlib import Path

import numpy as np
import onnxruntime

from voxrelay.checks.judges.sound import RATE, Samples, at_least

WEIGHTS = "dnsmos_sig_bak_ovr.onnx"
_SAMPLES = 144_160  # 9.01 s
# For the model of 16 kHz and 9.01 s, highest power first: signal, background, overall.
_FIT = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)


class Dnsmos:
    """The judge, on one thread."""

    def __init__(self, weights: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(weights), options)
        self._input = self._session.get_inputs()[0].name

    def score(self, sound: Samples) -> list[float]:
        """Score float32 [samples] at 16 kHz: signal, background, overall, each from 1 to 5.

        The mean over windows of 9.01 s, a second apart; shorter sound is repeated.
        """
        sound = at_least(sound, _SAMPLES)
        starts = range(0, len(sound) - _SAMPLES + 1, RATE)
        raw = np.mean([self._raw(sound[start : start + _SAMPLES]) for start in starts], axis=0)
        return [float(np.polyval(fit, value)) for fit, value in zip(_FIT, raw, strict=True)]

    def _raw(self, sound: Samples) -> Samples:
        scores: Samples = self._session.run(None, {self._input: sound[None]})[0][0]
        return scores
