"""An x-vector tells speakers apart, and a conversion that is nearer to its source than anybody is told so."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features
from voxrelay.training.mel import xvector as module
from voxrelay.training.mel.learning import mistaken
from voxrelay.training.mel.xvector import xvector

SPEAKERS, CLIPS, FRAMES = 6, 3, 160


@pytest.fixture
def spoken(tmp_path: Path) -> tuple[Cache, Features]:
    """Noise in voices that differ from band to band: no microphone does that."""
    random = np.random.default_rng(0)
    clips, mels = [], []
    for speaker in range(SPEAKERS):
        voice = random.normal(size=MEL.bands)
        for _ in range(CLIPS):
            start = len(clips) * FRAMES * MEL.hop
            clips.append(Clip(f"{len(clips)}", "some", f"{speaker}", "", "", start, FRAMES * MEL.hop))
            mels.append(voice + random.normal(size=(FRAMES, MEL.bands)))
    places = {clip.start: (FRAMES * number, FRAMES) for number, clip in enumerate(clips)}
    cache = Cache(tmp_path, tuple(clips), np.zeros(0, np.int16), clock.RATE)
    return cache, Features(np.concatenate(mels).astype(np.float16), places)


def test_it_tells_speakers_apart_and_learns_once(
    spoken: tuple[Cache, Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    monkeypatch.setattr(module, "_STEPS", 60)
    cache, mels = spoken
    found = xvector(cache, mels, {"5"})
    heard = found(torch.from_numpy(np.stack([mels.of(clip) for clip in cache.clips])).float())
    assert torch.allclose(heard.norm(dim=1), torch.ones(len(heard)))
    of = torch.arange(SPEAKERS).repeat_interleave(CLIPS)
    cosines, same = heard @ heard.T, of[:, None] == of
    assert cosines[same].mean() > 0.8
    assert cosines[~same].mean() < 0.2  # before it has learnt 0.9996: all voices are alike
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert (xvector(cache, mels, {"4"}).whole[0].weight != found.whole[0].weight).any()  # it may hear others
    monkeypatch.setattr(module, "_losses", lambda *_: pytest.fail("it had learnt already"))
    assert torch.equal(xvector(cache, mels, {"5"}).whole[0].weight, found.whole[0].weight)


def test_loudness_is_no_voice() -> None:
    mel = torch.randn(2, FRAMES, MEL.bands)
    found = module.XVector().eval()
    assert torch.allclose(found(mel), found(mel + 2), atol=1e-4)


def test_silence_has_a_gradient() -> None:
    found = module.XVector()
    found(torch.cat([torch.zeros(1, FRAMES, MEL.bands), torch.randn(1, FRAMES, MEL.bands)]))[0, 0].backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in found.parameters() if parameter.grad is not None)


def test_a_conversion_is_to_be_the_target_and_no_nearer_to_its_source() -> None:
    voices = torch.eye(8)[:3]

    def loss(made: torch.Tensor) -> float:
        return float(mistaken(lambda rows: functional.normalize(rows, dim=1), voices, made))

    targets = voices.roll(1, dims=0)
    assert loss(targets) == pytest.approx(0)
    assert loss(torch.eye(8)[3:6]) == pytest.approx(1)
    assert loss(voices) == pytest.approx(2)
    assert 0 < loss(targets + 0.3 * voices) < loss(targets + 0.6 * voices)
    beyond = targets - 0.3 * voices
    assert loss(beyond) == pytest.approx(float(1 - functional.cosine_similarity(beyond, targets).mean()))
