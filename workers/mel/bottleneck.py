"""The network of autovc-f0: content through a narrow neck, a melody without its register, and a decoder.

Sizes are a quarter of the published ones (Qian et al., arXiv 1905.05879 and 2004.07370) unless configured, and it
differs in three things: content frames stand where the published encoder has the source's mel and voice, so that
content models can be exchanged; the decoder is told loudness, which a mel would have brought along; and the
postnet has ReLU where theirs has tanh, and no batch norm after its last layer.
"""

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from voxrelay.relay.tensors import MEL

VOICE = 256  # of a Resemblyzer embedding
_BINS = 256  # of a melody; one more for what is unvoiced
_REACH = 4.0  # spreads of a register from its middle to the last bin
_LOUD = (-45.0, 15.0)  # dB: mean and spread of loudness, roughly
_MEL = (-6.0, 2.5)  # mean and spread of a log-mel spectrogram, roughly
_KERNEL = 5


@dataclass(frozen=True)
class Shape:
    """Sizes: ``features`` of content come in; ``neck`` numbers each way are kept of every ``stride``-th frame.

    As published: ``training/autovc_f0_published.yml``.
    """

    features: int = 96
    neck: int = 32
    stride: int = 8
    channels: int = 256
    decoder: int = 320
    postnet: int = 192

    subbands: ClassVar[int] = 0  # it is told the loudness of the whole alone
    attention: ClassVar[int] = 0  # and looks nothing up
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


class Bottleneck(nn.Module):
    """Content by time in a voice, to a log-mel spectrogram.

    ``relative``: the register that it is told is the voice's own, however pitch was moved.
    """

    relative = True

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encode = _convolutions([shape.features, *[shape.channels] * 3])
        self.squeeze = nn.LSTM(shape.channels, shape.neck, 2, batch_first=True, bidirectional=True)
        told = 2 * shape.neck + VOICE + _BINS + 2
        self.gather = nn.LSTM(told, shape.channels, batch_first=True)
        self.decode = _convolutions([shape.channels] * 4)
        self.say = nn.LSTM(shape.channels, shape.decoder, 2, batch_first=True)
        self.leave = nn.Linear(shape.decoder, MEL.bands)
        self.postnet = _convolutions([MEL.bands, *[shape.postnet] * 4])
        self.mend = nn.Conv1d(shape.postnet, MEL.bands, _KERNEL, padding=_KERNEL // 2)

    def forward(
        self,
        content: torch.Tensor,
        prosody: torch.Tensor,
        voice: torch.Tensor,
        register: torch.Tensor,
        timbre: torch.Tensor,  # noqa: ARG002 - it knows a voice by its embedding alone
        keys: torch.Tensor,  # noqa: ARG002
        values: torch.Tensor,  # noqa: ARG002
    ) -> torch.Tensor:
        """Make a mel spectrogram; arguments and result are those of ``Modulated.forward``."""
        frames = content.shape[1]
        code = self.squeezed(content)
        heard = voice[:, None].expand(-1, frames, -1) * VOICE**0.5  # unit vectors of 256 numbers are small ones
        loudness = (prosody[..., 2:] - _LOUD[0]) / _LOUD[1]
        x, _ = self.gather(torch.cat([code, heard, melody(prosody, register), loudness], dim=-1))
        x, _ = self.say(self.decode(x.transpose(1, 2)).transpose(1, 2))
        rough = self.leave(x)
        fine = rough + self.mend(self.postnet(rough.transpose(1, 2))).transpose(1, 2)
        return fine * _MEL[1] + _MEL[0]

    def squeezed(self, content: torch.Tensor) -> torch.Tensor:
        """Return what passes the neck, [batch, frames, 2 * neck]: each stretch of ``stride`` frames has one code.

        The forward half is read at the end of a stretch and the backward half at its beginning, where
        each has seen all of it.
        """
        frames, stride, neck = content.shape[1], self.shape.stride, self.shape.neck
        padded = functional.pad(content, (0, 0, 0, -frames % stride))
        x, _ = self.squeeze(self.encode(padded.transpose(1, 2)).transpose(1, 2))
        code = torch.cat([x[:, stride - 1 :: stride, :neck], x[:, ::stride, neck:]], dim=-1)
        return code.repeat_interleave(stride, dim=1)[:, :frames]


def melody(prosody: torch.Tensor, register: torch.Tensor) -> torch.Tensor:
    """Tell F0 without its register: one-hot of 256 bins, four spreads to each side, and one for what is unvoiced.

    [batch, frames, 3] and [batch, 2], as :meth:`Bottleneck.forward` takes them, to [batch, frames, 257].
    """
    middle, spread = register[:, None].unbind(dim=-1)
    place = ((prosody[..., 0] - middle) / (spread * _REACH)).clamp(-1, 1)
    bins = ((place + 1) / 2 * (_BINS - 1)).round().long()
    return functional.one_hot(bins.where(prosody[..., 1] >= 1 / 2, _BINS), _BINS + 1).to(prosody.dtype)


def _convolutions(channels: list[int]) -> nn.Sequential:
    """Stack convolutions over time, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv1d(before, after, _KERNEL, padding=_KERNEL // 2), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.Sequential(*layers)
