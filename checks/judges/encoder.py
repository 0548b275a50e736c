"""A speaker encoder that conditions no model: a bidirectional LSTM trained on triplets.

https://github.com/wq2012/SpeakerRecognitionFromScratch (Apache-2.0). Weak alone (EER about 9 %), but
nothing here was made to please it.
"""

from pathlib import Path

import librosa
import numpy as np
import torch

from voxrelay.checks.judges.sound import RATE, Samples, at_least

WEIGHTS = "speaker_bilstm128.pt"
_COEFFICIENTS, _HIDDEN, _LAYERS = 40, 64, 3
_HOP, _FRAMES, _STEP = 512, 100, 50


class Encoder:
    """The judge."""

    def __init__(self, weights: Path) -> None:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self._lstm = torch.nn.LSTM(_COEFFICIENTS, _HIDDEN, _LAYERS, batch_first=True, bidirectional=True).eval()
        self._lstm.load_state_dict({name.removeprefix("lstm."): value for name, value in state.items()})

    @torch.inference_mode()
    def embed(self, sound: Samples) -> list[float]:
        """Embed float32 [samples] at 16 kHz: 128 numbers, the mean over windows of 3.2 s, half overlapping.

        Sound shorter than a window is repeated.
        """
        sound = at_least(sound, _FRAMES * _HOP)
        frames = librosa.feature.mfcc(y=sound, sr=RATE, n_mfcc=_COEFFICIENTS, hop_length=_HOP).T
        starts = range(0, len(frames) - _FRAMES + 1, _STEP)
        windows = torch.from_numpy(np.stack([frames[start : start + _FRAMES] for start in starts]))
        vector: list[float] = self._lstm(windows)[0].mean(dim=(0, 1)).tolist()
        return vector
