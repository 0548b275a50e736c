"""Listening from elsewhere: what is between a speaker and a frozen listener changes with every step.

A network that is always heard by the same listeners learns to please them. Through another microphone each time, in
another noise and from another moment on, they are as many listeners.
"""

import math

import torch

from voxrelay.relay.tensors import MEL

_TILT, _RIPPLE = 0.5, 0.3  # standard deviations, natural logarithm
_HISS = (-11.0, -7.0)  # range of its level, natural logarithm; half of what is heard has some
_LATER = 8  # frames, at most


class Microphone:
    """One step's way from speakers to listeners; the same for all that it is asked to carry.

    Args:
        seed: of what is drawn.
        batch: how many speak at a time.
        frames: of each.

    """

    def __init__(self, seed: int, batch: int, frames: int) -> None:
        random = torch.Generator().manual_seed(seed)
        bands = torch.linspace(-1, 1, MEL.bands)
        waves = torch.randint(1, 4, (batch, 1), generator=random)
        tilt, ripple = torch.randn(2, batch, 1, generator=random)
        self._filter = (_TILT * tilt * bands + _RIPPLE * ripple * torch.cos(math.pi / 2 * waves * (bands + 1)))[:, None]
        level = _HISS[0] + (_HISS[1] - _HISS[0]) * torch.rand(batch, 1, 1, generator=random)
        level = level.where(torch.rand(batch, 1, 1, generator=random) < 1 / 2, torch.tensor(-torch.inf))
        self._hiss = level + 0.3 * torch.randn(batch, frames, MEL.bands, generator=random)
        self._begin = int(torch.randint(_LATER + 1, (), generator=random))

    def __call__(self, mel: torch.Tensor) -> torch.Tensor:
        """Carry log-mels, float [batch, frames, 80] or a whole number of such batches; 8 frames fewer arrive."""
        times = len(mel) // len(self._filter)
        carried = mel + self._filter.to(mel).repeat(times, 1, 1)
        heard = torch.logaddexp(carried, self._hiss.to(mel).repeat(times, 1, 1))
        return heard[:, self._begin : mel.shape[1] - _LATER + self._begin]
