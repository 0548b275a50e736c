"""A vocoder learns to say mels that an acoustic model asks for."""

from dataclasses import replace
from pathlib import Path

import corpora
import numpy as np
import pytest
import soxr
import torch
from test_mel import LISTENER
from test_mel import TINY as SPEAKER
from test_vocoder import CPU, CROP, RECONSTRUCTION, TINY, sound

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import MEL
from voxrelay.training import checkpoint
from voxrelay.training.cache import Cache, samples
from voxrelay.training.mel import material
from voxrelay.training.mel.batches import Told
from voxrelay.training.mel.listening import Lite
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.vocoder.asked import CONTEXT, Asked
from voxrelay.training.vocoder.config import Weights
from voxrelay.training.vocoder.learning import Learner
from voxrelay.training.vocoder.recipe import VocoderRecipe
from voxrelay.training.vocoder.state import VocoderState
from voxrelay.workers.content import encoder
from voxrelay.workers.mel import networks

PREDICTED = replace(RECONSTRUCTION, name="predicted", steps=40, predicted=2)
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
    return Asked(cache, recorded(cache), acoustic, listener, TINY)


def recorded(cache: Cache) -> Cache:
    """Make the cache of the same recordings at 22.05 kHz."""
    sounds = [samples(soxr.resample(cache.floats(clip), cache.rate, clock.SOUND_RATE)) for clip in cache.clips]
    starts = np.cumsum([0, *map(len, sounds)])
    clips = [
        replace(clip, start=int(start), length=len(sound))
        for clip, start, sound in zip(cache.clips, starts, sounds, strict=False)
    ]
    return Cache(cache.folder, tuple(clips), np.concatenate(sounds), clock.SOUND_RATE)


def true(told: Told) -> torch.Tensor:
    """Return the mel that was recorded, as if a perfect model had made it."""
    return told.mel[:, CONTEXT:-CONTEXT].transpose(1, 2).contiguous()


def test_what_is_asked_for_follows_from_seed_and_step(asked: Asked) -> None:
    frames = CROP // MEL.hop
    first = asked.batch(3, 2, frames)
    assert first.shape == (2, MEL.bands, frames)
    assert first.is_contiguous()
    assert torch.equal(first, asked.batch(3, 2, frames))
    assert not torch.equal(first, asked.batch(4, 2, frames))


def test_what_is_predicted_comes_with_the_sound_that_was_recorded(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = CROP // MEL.hop
    mel, sound_ = asked.predicted(3, 2, frames)
    assert mel.shape == (2, MEL.bands, frames)
    assert sound_.shape == (2, CROP + 2 * MARGIN)
    assert torch.equal(mel, asked.predicted(3, 2, frames)[0])
    monkeypatch.setattr(asked, "_made", true)
    for mel, sound_ in [asked.predicted(3, 4, frames), *asked.excerpts({"s0", "s1"}, 100)]:
        assert (LogMel().inner(sound_) - mel).abs().mean() < 0.02  # a frame later 0.2
        assert (LogMel().inner(sound_)[..., 1:] - mel[..., :-1]).abs().mean() > 0.06


def test_what_a_vocoder_is_to_make_of_predicted_mels_is_what_was_recorded() -> None:
    batch = sound(2, predicted=1)
    other = replace(batch, predicted=torch.full_like(batch.predicted, -11.0))
    first, second = (Learner(VocoderState(replace(TINY, phases=(PREDICTED,)), CPU)).learn(b) for b in (batch, other))
    assert first["mel"] != second["mel"]  # the predicted mel is what is heard
    learner = Learner(VocoderState(replace(TINY, phases=(PREDICTED,)), CPU))
    figures = [learner.learn(other) for _ in range(40)]
    assert float(figures[-1]["mel"]) < 0.6 * float(figures[0]["mel"])


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
    config = replace(TINY, phases=(RECONSTRUCTION, SAYS, PREDICTED))
    cache = corpora.cache(speakers=4, seconds=2.0, folder=tmp_path)
    recipe = VocoderRecipe(config, cache, CPU, asked)
    batch = next(recipe.feed(range(2, 3)))
    assert len(batch.sound) == SAYS.batch
    assert batch.asked.shape == (2, MEL.bands, CROP // MEL.hop)
    batch = next(recipe.feed(range(50, 51)))
    assert (len(batch.sound), len(batch.asked)) == (PREDICTED.batch + 2, 0)
    assert batch.predicted.shape == (2, MEL.bands, CROP // MEL.hop)
    measured = recipe.measure()
    assert {"predicted_mel", "predicted_stft", "mel/toy"} <= measured.keys()
    assert f"| predicted mels | {measured['predicted_mel']:.4f} |" in recipe.figures(measured)
    assert "--acoustic" in recipe.command
    with pytest.raises(BadConfigError, match="phase reconstruction says what an acoustic model asks for"):
        next(VocoderRecipe(config, cache, CPU).feed(range(1)))
