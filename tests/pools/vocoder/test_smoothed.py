"""The fine structure of a waveform that is lent stays, its broad spectrum becomes the mel's."""

import numpy as np
import torch
from fixed import Fixed
from test_corrected import log_mel, voiced

from voxrelay.relay.tensors import MEL
from voxrelay.workers.runtime.filters import mel_filters
from voxrelay.workers.vocoder.smoothed import Smoothed


def smoothed() -> Smoothed:
    return Smoothed(Fixed(np.zeros(60 * MEL.hop)), mel_filters())


def kept(mel: np.ndarray, lent: np.ndarray) -> np.ndarray:
    whole = torch.from_numpy(lent.astype(np.float32))[None]
    found: np.ndarray = smoothed().kept(torch.from_numpy(mel).float()[None], whole)[0].numpy()
    return found


def test_a_waveform_that_has_the_mel_keeps_it() -> None:
    lent = voiced(0.9)
    np.testing.assert_allclose(kept(log_mel(lent), lent), log_mel(lent), atol=1e-4)


def test_what_differs_broadly_is_the_mels_and_what_differs_in_single_bands_and_frames_is_not() -> None:
    lent, inner = voiced(0.9), slice(8, -8)
    own = log_mel(lent)
    broad = 0.5 * np.sin(np.arange(80) / 80 * np.pi)[:, None] * np.ones((1, own.shape[1]))
    narrow = 0.3 * (-1.0) ** (np.arange(80)[:, None] + np.arange(own.shape[1])[None])
    found = kept(own + broad - 0.5 + narrow, lent) - own  # lowered: nothing is the generator's
    assert np.abs(found - (broad - 0.5))[inner, inner].max() < 0.05
    alone = kept(own - 0.5 + narrow, lent) - (own - 0.5)
    assert np.abs(alone)[inner, inner].max() < 0.2 * 0.3


def test_what_the_waveform_cannot_say_stays_the_mels() -> None:
    lent = 1e-4 * voiced(0.9)
    mel = log_mel(voiced(0.9))
    np.testing.assert_allclose(kept(mel, lent), mel, atol=0.02)


def test_without_a_waveform_or_with_less_than_a_window_of_one_it_is_let_through() -> None:
    heard: list[torch.Tensor] = []

    class Heard(torch.nn.Module):
        def forward(self, mel: torch.Tensor, *_more: torch.Tensor) -> torch.Tensor:
            heard.append(mel)
            return torch.zeros(1, MEL.hop * mel.shape[-1])

    module, mel = Smoothed(Heard(), mel_filters()), torch.randn(1, 80, 1)
    module(mel)
    module(mel, torch.randn(1, MEL.hop))
    assert all(found is mel for found in heard)
    assert len(heard) == 2
