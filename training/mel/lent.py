"""What is heard of a conversion where the vocoder is lent the source's own waveform.

Its periods are moved to the asked pitch, and its spectrum is fitted to the mel that a network makes no finer than in
broad features (:mod:`voxrelay.workers.vocoder.smoothed`). A network that learns from what is heard, instead of from
what it says, makes up for what smoothing takes, and leaves to the waveform what that has.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Audio, Melody
from voxrelay.training import level
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features
from voxrelay.workers.mel.pitch import Prosody, Register
from voxrelay.workers.runtime.filters import mel_filters
from voxrelay.workers.vocoder import excitation
from voxrelay.workers.vocoder.smoothed import broader, kernel
from voxrelay.workers.vocoder.spectra import Spectra

Floats = NDArray[np.float32]
_AROUND = 10  # content frames to either side: more than a mel frame hears


@dataclass(frozen=True)
class Lender:
    """Lends recordings of a cache at 16 kHz; ``prosody`` is that of its material."""

    cache: Cache
    prosody: Features
    spectra: Spectra = field(default_factory=lambda: Spectra(mel_filters()))

    def mel(self, clip: Clip, start: int, frames: int, own: Register, goal: Register) -> Floats:
        """Return the log-mel of mel frames of a clip at another pitch, float32 [frames, 80].

        Args:
            clip: of the cache.
            start: the first frame.
            frames: their number.
            own: register that its melody is moved from.
            goal: register that it is moved to.

        """
        rows = np.asarray(self.prosody.of(clip))
        first = max(start * MEL.hop // clock.SOUND_PER_HOP - _AROUND, 0)
        last = min((start + frames) * MEL.hop // clock.SOUND_PER_HOP + _AROUND, len(rows))
        pitch = Prosody(rows[:, 0], rows[:, 1]).contour()[first:last]
        asked = np.exp((pitch - own.median) / own.spread * goal.spread + goal.median)
        whole = self.cache.floats(clip)
        sound = whole[first * clock.CONTENT_HOP : last * clock.CONTENT_HOP] * level.gain(whole)
        melody = Melody(np.stack([rows[first:last, 0], asked], axis=1).astype(np.float32))
        moved = excitation.move(Audio(sound, clock.RATE), melody).data
        skipped = start * MEL.hop - first * clock.SOUND_PER_HOP  # to the first frame, in samples at 22.05 kHz
        moved = moved[skipped % MEL.hop :]
        moved = moved[: len(moved) // MEL.hop * MEL.hop].astype(np.float32)
        lacking = self.spectra.lacking(self.spectra.of(torch.from_numpy(moved)[None]), torch.zeros(()))
        found: Floats = -lacking[0].T.numpy()
        begin = skipped // MEL.hop
        cut: Floats = found[np.minimum(np.arange(begin, begin + frames), len(found) - 1)]
        return cut


def heard(made: torch.Tensor, lent: torch.Tensor) -> torch.Tensor:
    """Say what is heard of log-mels, float [batch, frames, 80], if sounds of such mels, of the same shape, are lent."""
    raised = (made - lent).transpose(1, 2)
    return made + broader(raised, kernel().to(made.device)).transpose(1, 2)
