"""The network of gr0: content, pitch and loudness by time, one global vector in every layer."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from voxrelay.relay.tensors import MEL
from voxrelay.workers.mel.attention import TOLD, Attention
from voxrelay.workers.runtime.convnext import Block

VOICE = 256  # of a Resemblyzer embedding
_BINS = 64  # of pitch, a sixth of an octave and less
_LOWEST, _HIGHEST = float(np.log(55.0)), float(np.log(550.0))
_LOUD = (-45.0, 15.0)  # dB: mean and spread of loudness, roughly
_REGISTER = (float(np.log(145.0)), 0.35), (0.2, 0.1)  # mean and spread over voices, of median and of spread
_MEL = (-6.0, 2.5)  # mean and spread of a log-mel spectrogram, roughly
_SUBBAND = (-1.5, 2.0)  # of one of its broad bands, its mean over louder frames taken off


@dataclass(frozen=True)
class Shape:
    """Sizes of the network: ``features`` of content come in, ``condition`` is the width of the global vector.

    ``timbre``: bands of the voice's mean spectrum that it holds beside the embedding; 0: it knows the embedding alone.
    ``subbands``: broad bands whose loudness comes in beside that of the whole.
    ``attention``: heads that look up how the voice says the like; 0: none does.
    """

    features: int = 96
    channels: int = 256
    blocks: int = 8
    kernel: int = 7
    expansion: int = 3
    condition: int = 192
    timbre: int = 0
    subbands: int = 0
    attention: int = 0

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


class Modulated(nn.Module):
    """Content by time in a voice, to a log-mel spectrogram.

    ``relative``: the register that it is told is the one that pitch was moved to.
    """

    relative = False

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        told = shape.features + _BINS + 2 + shape.subbands + shape.attention * TOLD
        self.enter = nn.Conv1d(told, shape.channels, 3, padding=1)
        self.attention = Attention(shape.features, shape.attention) if shape.attention else None
        self.global_ = nn.Sequential(nn.Linear(VOICE + 2 + shape.timbre, shape.condition), nn.ReLU())
        self.blocks = nn.ModuleList(
            Block(shape.channels, shape.kernel, shape.expansion, shape.condition) for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(shape.channels)
        self.leave = nn.Linear(shape.channels, MEL.bands)
        self.register_buffer("centres", torch.linspace(_LOWEST, _HIGHEST, _BINS), persistent=False)

    def forward(
        self,
        content: torch.Tensor,
        prosody: torch.Tensor,
        voice: torch.Tensor,
        register: torch.Tensor,
        timbre: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
    ) -> torch.Tensor:
        """Make a mel spectrogram.

        Args:
            content: float [batch, frames, features], at the mel's rate.
            prosody: log F0 without gaps, whether voiced (0 to 1), loudness in dB, and sub-bands of a log-mel relative
                to their means; [batch, frames, 3 + subbands].
            voice: unit vectors, [batch, 256].
            register: median and spread of the voice's log F0, [batch, 2].
            timbre: mean log-mel spectrum of the voice's speech, [batch, 80].
            keys: content of frames of the voice's recordings, [batch, rows, features].
            values: log-mel spectra of the same frames, each less its mean, [batch, rows, 80].

        Returns:
            natural logarithm as :data:`~voxrelay.relay.tensors.MEL`, [batch, frames, 80].

        """
        told = [content, self._told(prosody)]
        if self.attention:
            told.append(self.attention(content, keys, values / _MEL[1]))
        x = self.enter(torch.cat(told, dim=-1).transpose(1, 2))
        mean, spread = torch.tensor(_REGISTER, device=voice.device).T
        known = [voice * VOICE**0.5, (register - mean) / spread]  # unit vectors of 256 numbers are small ones
        known.append((timbre[:, : self.shape.timbre] - _MEL[0]) / _MEL[1])
        condition = self.global_(torch.cat(known, dim=-1))
        for block in self.blocks:
            x = block(x, condition)
        return self.leave(self.norm(x.transpose(1, 2))) * _MEL[1] + _MEL[0]

    def _told(self, prosody: torch.Tensor) -> torch.Tensor:
        """Tell pitch by soft bins, so that a register is not a matter of scale: [batch, frames, 66 + subbands]."""
        pitch, voiced, loudness = prosody[..., :3].float().unbind(dim=-1)
        parts = (prosody[..., 3:].float() - _SUBBAND[0]) / _SUBBAND[1]
        width = (_HIGHEST - _LOWEST) / (_BINS - 1)
        bins = torch.exp(-0.5 * ((pitch[..., None] - self.centres) / width).square())
        return torch.cat([bins, voiced[..., None], (loudness[..., None] - _LOUD[0]) / _LOUD[1], parts], dim=-1)
