"""Griffin-Lim: sound from a mel spectrogram without weights.

Phases by the fast Griffin-Lim algorithm (Perraudin, Balazs and Soendergaard, WASPAA 2013,
https://librosa.org), magnitudes by the multiplicative updates that minimise the Kullback-Leibler
divergence (Lee and Seung, NIPS 2000).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.runtime.filters import mel_filters

_MARGIN = (MEL.fft - MEL.hop) // 2
_UPDATES = 10


@dataclass(frozen=True)
class GriffinLim:
    """Implements :class:`~voxrelay.workers.runtime.model.VocoderModel`; the same mel gives the same bytes."""

    iterations: int
    momentum: float

    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        """Invert log-mels, float [frames, 80], into float32 [256 * frames] in -1..1 at 22.05 kHz.

        Raises:
            BadInputError: a mel of another definition than :data:`MEL`.

        """
        return [self._vocode(mel) for mel in mels]

    def _vocode(self, mel: Mel) -> Audio:
        if mel.spec != MEL.fingerprint:
            raise BadInputError(f"a mel of {mel.spec}", hint=f"griffin-lim inverts {MEL.fingerprint}")
        # Without centring the sound begins where the first frame does, a margin before time zero.
        sound = librosa.griffinlim(
            _magnitudes(np.exp(mel.data.T.astype(np.float32))),
            n_iter=self.iterations,
            hop_length=MEL.hop,
            win_length=MEL.window,
            n_fft=MEL.fft,
            center=False,
            momentum=self.momentum,
            random_state=0,
        )
        return Audio(np.clip(sound[_MARGIN:-_MARGIN], -1, 1).astype(np.float32), rate=MEL.rate)


def load(iterations: int = 32, momentum: float = 0.99) -> GriffinLim:
    """Choose the effort.

    Args:
        iterations: rounds of phase reconstruction, 1 or more; more sound a little clearer.
        momentum: of the fast algorithm, from 0 (the classic one) to below 1.

    Raises:
        BadConfigError: an option out of its range.

    """
    if iterations < 1 or not 0 <= momentum < 1:
        what = f"iterations {iterations}, momentum {momentum}"
        raise BadConfigError(what, where="griffin-lim", hint="allowed: iterations from 1, momentum from 0 to below 1")
    return GriffinLim(iterations, momentum)


def _magnitudes(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find magnitudes [bins, frames] whose mel is ``mel``, float32 [bands, frames], linear.

    The pseudo-inverse rings between the wide bands at the top, which is heard; these updates stay
    positive and close to their smooth beginning.
    """
    filters = mel_filters()
    total = np.maximum(filters.sum(axis=0), 1e-10)[:, np.newaxis]
    magnitudes: NDArray[np.float32] = filters.T @ mel
    for _ in range(_UPDATES):
        magnitudes *= filters.T @ (mel / np.maximum(filters @ magnitudes, 1e-10)) / total
    return magnitudes
