"""Spectra and losses that training is measured by."""

import corpora
import numpy as np
import pytest
import torch

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL, Audio
from voxrelay.training import losses
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.workers.mel.spectrogram import log_mel


@pytest.mark.parametrize("level", [1.0, 0.01, 0.0])
def test_the_mel_is_the_one_that_the_pools_make(level: float) -> None:
    sound = level * corpora.tone(2, 1.0)[: 80 * MEL.hop]
    ours = LogMel()(torch.from_numpy(sound)[None])[0].T.numpy()
    theirs = log_mel(Audio(sound, clock.SOUND_RATE)).data
    assert ours.shape == theirs.shape == (80, MEL.bands)
    assert np.abs(ours - theirs).max() < 1e-4


def test_context_stands_in_for_reflection() -> None:
    sound = torch.from_numpy(corpora.tone(1, 1.0)[: 40 * MEL.hop])[None]
    mel = LogMel()
    start = 10 * MEL.hop
    inner = mel.inner(sound[:, start - MARGIN : start + 5 * MEL.hop + MARGIN])
    assert torch.allclose(inner, mel(sound)[:, :, 10:15], atol=1e-4)


def test_multi_resolution_loss() -> None:
    sound = torch.from_numpy(np.stack([corpora.tone(1, 0.5), corpora.tone(4, 0.5)]))
    loss = losses.MultiResolution()
    assert loss(sound, sound).item() == 0
    assert loss(sound + 1e-6, sound).item() < loss(0.9 * sound, sound).item() < loss(0.5 * sound, sound).item()
    assert torch.isfinite(loss(torch.zeros_like(sound), sound))
    made = (0.5 * sound).requires_grad_()
    loss(made, sound).backward()
    assert torch.isfinite(made.grad).all()


def test_least_squares_losses() -> None:
    ones, zeros = [torch.ones(2, 3)], [torch.zeros(2, 3)]
    assert losses.discrimination(ones, zeros).item() == 0
    assert losses.discrimination(zeros, ones).item() == 2
    assert losses.deception(ones).item() == 0
    assert losses.deception(zeros * 2).item() == 2
    assert losses.feature_matching(ones * 2, zeros * 2).item() == 2
