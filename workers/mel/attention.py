"""How a voice itself says what is to be said: attention over the frames of its recordings.

Frames are matched by content as in kNN-VC (Baas, van Niekerk and Kamper, Interspeech 2023, arXiv 2305.18975), softly
(Vaswani et al., NeurIPS 2017, arXiv 1706.03762), and by what it is that they are to be alike in is learnt. What is
found is told to the network, which knows best how far to believe it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import MEL, Floats
from voxrelay.workers.runtime.model import Clip

TOLD = MEL.bands + 1  # a spectrum, and how alike it is
_ROWS = 1024  # frames of the recordings of a target that are looked at, 20 s
_SHARPEST, _SOFTEST = 30.0, 10.0  # what heads multiply likeness by, to begin with


class Attention(nn.Module):
    """Looks content up among that of a voice's recordings, with so many ``heads``."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Parameter(torch.eye(features).repeat(heads, 1, 1))
        self.sharpness = nn.Parameter(torch.linspace(np.log(_SHARPEST), np.log(_SOFTEST), heads))

    def forward(self, content: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Find the spectra that content is said with.

        Args:
            content: [batch, frames, features].
            keys: content of the voice's recordings, [batch, rows, features].
            values: their spectra, as :func:`spectra` gives them, [batch, rows, 80].

        Returns:
            for each head the mean spectrum of what is alike, and how alike it is, -1 to 1: [batch, frames, heads * 81].

        """
        asked, offered = (torch.einsum("brf,hfg->bhrg", rows, self.project) for rows in (content, keys))
        found = torch.cat(attend(asked, offered, values[:, None], self.sharpness.exp()[:, None, None]), dim=-1)
        return found.transpose(1, 2).flatten(2)


def attend(
    asked: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, sharpness: torch.Tensor | float = _SHARPEST
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average the values whose keys are alike, by the cosine once the mean of the keys is taken off.

    Args:
        asked: [..., frames, features].
        keys: [..., rows, features].
        values: [..., rows, width].
        sharpness: what likeness is multiplied by.

    Returns:
        means, [..., frames, width], and how alike it was, [..., frames, 1].

    """
    middle = keys.mean(dim=-2, keepdim=True)
    asked, keys = (functional.normalize(rows - middle, dim=-1) for rows in (asked, keys))
    alike = asked @ keys.transpose(-1, -2)
    shares = (alike * sharpness).softmax(dim=-1)
    return shares @ values, (shares * alike).sum(dim=-1, keepdim=True)


def spectra(mel: NDArray[np.floating], frames: NDArray[np.intp]) -> Floats:
    """Read a log-mel spectrogram, [mel frames, 80], at the centres of content frames, float32 [frames, 80].

    Each less its mean over bands: how loud something was said is not a matter of the voice.
    """
    places = ((frames + 0.5) * (clock.SOUND_PER_HOP / clock.MEL_HOP)).astype(np.intp)
    found = mel[np.minimum(places, len(mel) - 1)].astype(np.float32)
    less: Floats = found - found.mean(axis=1, keepdims=True)
    return less


def lookup(clips: Sequence[Clip]) -> tuple[Floats, Floats]:
    """Choose the frames of a target's clips that are looked at, as many of each as it weighs.

    Returns:
        keys, float32 [rows, features], and values, float32 [rows, 80]: always so many rows, if need be more than once.

    Raises:
        BadInputError: there are none.

    """
    if not clips:
        raise BadInputError("a reference without clips")
    counts = [len(clip.content.data) for clip in clips]
    keys = np.concatenate([clip.content.data for clip in clips]).astype(np.float32)
    values = np.concatenate(
        [spectra(clip.mel.data, np.arange(count)) for clip, count in zip(clips, counts, strict=True)]
    )
    heard = np.cumsum(np.repeat([clip.weight / count for clip, count in zip(clips, counts, strict=True)], counts))
    chosen = np.searchsorted(heard, (np.arange(_ROWS) + 0.5) / _ROWS * heard[-1])
    return keys[chosen], values[chosen]
