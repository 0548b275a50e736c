"""What training hears of conversions that are lent the source's waveform."""

from dataclasses import replace

import corpora
import numpy as np
import pytest
import torch
from test_mel import LISTENER, TINY, recipe

from voxrelay.relay.tensors import MEL
from voxrelay.training.cache import Cache
from voxrelay.training.mel import material
from voxrelay.training.mel.batches import Batches, Source
from voxrelay.training.mel.config import Weights
from voxrelay.training.mel.lent import Lender, heard
from voxrelay.training.mel.listening import Lite
from voxrelay.training.mel.material import Material
from voxrelay.workers.mel.pitch import Register

FRAMES = slice(30, 70)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return corpora.listened(tmp_path_factory.mktemp("cache"), LISTENER)


@pytest.fixture(scope="module")
def found(cache: Cache) -> Material:
    return material.prepare(cache, Lite(cache.folder / "listener.safetensors"))


def test_at_its_own_pitch_a_recording_is_lent_as_it_is_frame_by_frame(cache: Cache, found: Material) -> None:
    own = Register(5.0, 0.2)
    clip, lender = cache.clips[2], Lender(cache, found.prosody)
    lent = lender.mel(clip, FRAMES.start, 40, own, own)
    true = np.asarray(found.mels.of(clip)[FRAMES], dtype=np.float32)
    off = [np.abs(lent - np.roll(true, by, axis=0))[2:-2].mean() for by in (-1, 0, 1)]
    assert off[1] < 0.1
    assert off[1] == min(off)
    assert lender.mel(clip, len(found.mels.of(clip)) - 40, 40, own, own).shape == (40, MEL.bands)


def test_its_pitch_is_that_of_the_voice_that_says_it(cache: Cache, found: Material) -> None:
    clip, lender = cache.clips[0], Lender(cache, found.prosody)
    own = Register(float(np.log(np.median(found.prosody.of(clip)[:, 0]))), 0.1)
    octave = replace(own, median=own.median + float(np.log(2)))
    as_it_is, higher = (lender.mel(clip, 30, 40, own, goal) for goal in (own, octave))
    low = slice(0, 24)  # harmonics lie further apart there than bands do
    jagged = [np.abs(np.diff(mel[:, low], axis=1)).mean() for mel in (as_it_is, higher)]
    assert jagged[1] > 1.1 * jagged[0]


def test_what_is_narrow_is_the_waveforms_and_what_is_broad_the_networks() -> None:
    lent = torch.zeros(1, 40, MEL.bands)
    narrow = 0.3 * (-1.0) ** (torch.arange(40)[:, None] + torch.arange(MEL.bands)[None])
    made = (narrow - 0.5)[None].requires_grad_()
    assert (heard(made, lent) + 0.5).detach().abs()[:, 8:-8, 8:-8].max() < 0.06
    heard(made, lent).sum().backward()
    assert made.grad is not None
    assert made.grad.mean() == pytest.approx(1, abs=0.05)
    assert torch.allclose(heard(made, lent - 6), made, atol=0.01)  # too far above what is lent


def test_a_batch_is_lent_to_the_next_speaker_and_training_hears_it(cache: Cache, found: Material) -> None:
    batches = Batches({Source(cache, found, {"s1"}, TINY): 1.0}, TINY.seed)
    plain, told = batches.batch(3, 4, 40), batches.batch(3, 4, 40, lend=True)
    assert len(plain.lent) == 0
    assert told.lent.shape == told.mel.shape
    assert all(torch.equal(one, vars(told)[name]) for name, one in vars(plain).items() if name != "lent")
    phase = replace(
        TINY.phases[0], steps=2, batch=4, crop=40, convert=True, weights=Weights(mel=1, timbre=1, bands=1, likes=1)
    )
    losses = []
    for lend in (False, True):
        torch.manual_seed(1)
        learner = recipe(cache, replace(TINY, phases=(replace(phase, lend=lend),)))
        losses.append(learner.learn(next(learner.feed(range(1)))))
    assert losses[0]["mel"] == losses[1]["mel"]  # of what is said in the own voice nothing is lent
    assert losses[0]["bands"] != losses[1]["bands"]
