"""A vocoder learns to say mels that an acoustic model asks for."""

from dataclasses import replace
from pathlib import Path

import corpora
import numpy as np
import pytest
import torch
from test_mel import LISTENER
from test_mel import TINY as SPEAKER
from test_vocoder import CPU, CROP, RECONSTRUCTION, TINY, sound

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import MEL
from voxrelay.training import checkpoint
from voxrelay.training.mel import material
from voxrelay.training.mel.listening import Lite
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.vocoder.asked import Asked
from voxrelay.training.vocoder.config import Weights
from voxrelay.training.vocoder.learning import Learner
from voxrelay.training.vocoder.recipe import VocoderRecipe
from voxrelay.training.vocoder.state import VocoderState
from voxrelay.workers.content import encoder
from voxrelay.workers.mel import networks

SAYS = replace(RECONSTRUCTION, steps=40, weights=Weights(asked=45, adversarial=1), discriminate=True, asked=2)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("cache")
    cache = corpora.cache(speakers=4, seconds=2.0, folder=folder, rate=clock.RATE)
    listener, acoustic = folder / "listener.safetensors", folder / "gr0.safetensors"
    checkpoint.write_half(encoder.Encoder(LISTENER), vars(LISTENER), listener)
    checkpoint.write_half(networks.build(SPEAKER.shape), networks.facts(SPEAKER.shape, "contentvec-lite"), acoustic)
    material.prepare(cache, Lite(listener))
    return Asked(cache, acoustic, listener, TINY)


def test_what_is_asked_for_follows_from_seed_and_step(asked: Asked) -> None:
    frames = CROP // MEL.hop
    first = asked.batch(3, 2, frames)
    assert first.shape == (2, MEL.bands, frames)
    assert first.is_contiguous()
    assert torch.equal(first, asked.batch(3, 2, frames))
    assert not torch.equal(first, asked.batch(4, 2, frames))


def test_sound_that_is_right_has_the_mel_that_was_asked_for() -> None:
    speech = torch.from_numpy(corpora.tone(2, 0.5)[: CROP + 2 * MARGIN])[None]
    learner = Learner(VocoderState(TINY, CPU))
    wanted = LogMel().inner(speech)[..., 2:-2]
    assert torch.allclose(learner.within(speech[:, MARGIN:-MARGIN]), wanted, atol=1e-4)


def test_a_vocoder_learns_to_say_what_nobody_has_said() -> None:
    learner = Learner(VocoderState(replace(TINY, phases=(SAYS,)), CPU))
    figures = [learner.learn(sound(2, asked=2)) for _ in range(40)]
    losses = [float(figure["asked"]) for figure in figures]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    assert "feature" in figures[0]


def test_a_recipe_draws_it_beside_the_crops_and_says_so_if_it_cannot(asked: Asked, tmp_path: Path) -> None:
    config = replace(TINY, phases=(RECONSTRUCTION, SAYS))
    batch = next(VocoderRecipe(config, corpora.cache(folder=tmp_path), CPU, asked).feed(range(2, 3)))
    assert len(batch.sound) == SAYS.batch
    assert batch.asked.shape == (2, MEL.bands, CROP // MEL.hop)
    assert "--acoustic" in VocoderRecipe(config, corpora.cache(folder=tmp_path), CPU, asked).command
    with pytest.raises(BadConfigError, match="phase reconstruction says what an acoustic model asks for"):
        next(VocoderRecipe(config, corpora.cache(folder=tmp_path), CPU).feed(range(1)))
