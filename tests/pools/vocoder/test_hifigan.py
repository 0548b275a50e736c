"""HiFi-GAN: architecture, folding, lengths, and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import weight_norm

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, BadInputError, UnavailableError
from voxrelay.relay.tensors import MEL, Audio, Mel
from voxrelay.workers.vocoder import generator, hifigan
from voxrelay.workers.vocoder.generator import VARIANTS, Generator
from voxrelay.workers.vocoder.published import fold_weight_norm

SHARED = os.environ.get("VOXRELAY_SHARED", "")
REAL = Path(SHARED) / "weights" / "hifigan_v3_ljspeech.pt"


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def normed(variant: str) -> Generator:
    """Return a generator whose convolutions carry PyTorch's weight norm, as in training."""
    trained = Generator(VARIANTS[variant])
    convolutions = [m for m in trained.modules() if isinstance(m, torch.nn.Conv1d | torch.nn.ConvTranspose1d)]
    for module in convolutions:
        weight_norm(module)
        torch.nn.init.uniform_(module.weight_g, 0.1, 0.5)
    return trained.eval()


def save(state: dict[str, Any], folder: Path) -> str:
    torch.save({"generator": state}, folder / "generator.pt")
    return str(folder / "generator.pt")


def mel(frames: int, seed: int = 0) -> Mel:
    return Mel(np.random.default_rng(seed).normal(-5, 2, (frames, MEL.bands)).astype(np.float32))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_folding_equals_pytorchs_weight_norm(variant: str, tmp_path: Path) -> None:
    trained = normed(variant)
    assert any(name.endswith("weight_g") for name in trained.state_dict())
    model = hifigan.load(save(trained.state_dict(), tmp_path), variant)
    sample = mel(12)
    with torch.inference_mode():
        expected = trained(torch.from_numpy(sample.data.T.copy())[None])[0].numpy()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(model.vocode([sample])[0].data, expected, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_folded_weights_load_too(variant: str, tmp_path: Path) -> None:
    folded = Generator(VARIANTS[variant])
    model = hifigan.load(save(folded.state_dict(), tmp_path), variant)
    sample = mel(12)
    with torch.inference_mode():
        expected = folded(torch.from_numpy(sample.data.T.copy())[None])[0].numpy()
    np.testing.assert_allclose(model.vocode([sample])[0].data, expected, atol=1e-6)


def test_a_window_of_sound(tmp_path: Path) -> None:
    model = hifigan.load(save(Generator(VARIANTS["v3"]).state_dict(), tmp_path), "v3")
    [sound] = model.vocode([mel(441)])
    assert sound.data.shape == (112_896,)
    assert sound.data.dtype == np.float32
    assert sound.rate == 22_050
    assert np.abs(sound.data).max() <= 1


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_every_frame_is_256_samples(variant: str, frames: int) -> None:
    assert Generator(VARIANTS[variant])(torch.zeros(1, 80, frames)).shape == (1, 256 * frames)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pieces_are_the_whole(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Generator(VARIANTS[variant]).eval()
    sample = torch.from_numpy(mel(90).data.T.copy())[None]
    monkeypatch.setattr(generator, "_PIECE", 1 << 17)
    with torch.inference_mode():
        whole = model.whole(sample)
        torch.testing.assert_close(model.in_pieces(sample), whole, rtol=0, atol=1e-4 * float(whole.std()))
        # Were they not told of their neighbours, what is heard would tell.
        monkeypatch.setattr(model, "_reach", -4)
        assert float((model.in_pieces(sample) - whole).abs().max()) > 1e-3 * float(whole.std())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_eight_is_each_mel_alone(variant: str, tmp_path: Path) -> None:
    state = Generator(VARIANTS[variant]).state_dict()
    state["conv_post.weight"] *= 30  # as loud as speech, so that a difference shows
    model = hifigan.load(save(state, tmp_path), variant)
    mels = [mel(50, seed) for seed in range(8)]
    for one, sample in zip(model.vocode(mels), mels, strict=True):
        assert np.ptp(one.data) > 0.05
        np.testing.assert_allclose(one.data, model.vocode([sample])[0].data, atol=1e-4)


def test_read_only_input_and_bytes(tmp_path: Path) -> None:
    model = hifigan.load(save(Generator(VARIANTS["v3"]).state_dict(), tmp_path), "v3")
    [sound] = model.vocode([Mel.from_bytes(mel(5).to_bytes())])
    np.testing.assert_array_equal(Audio.from_bytes(sound.to_bytes()).data, sound.data)


def test_another_mel_is_refused_by_name(tmp_path: Path) -> None:
    model = hifigan.load(save(Generator(VARIANTS["v3"]).state_dict(), tmp_path), "v3")
    with pytest.raises(BadInputError, match=r"100 bands.*hifigan takes"):
        model.vocode([Mel(np.zeros((5, 100), np.float32))])


def test_unknown_variant_names_the_allowed() -> None:
    with pytest.raises(BadConfigError, match=r"'v4' .allowed: v1, v2, v3"):
        hifigan.load("any.pt", "v4")


@pytest.mark.parametrize("wrong", ["v1", "v2"])
def test_weights_of_another_variant_are_refused(tmp_path: Path, wrong: str) -> None:
    path = save(Generator(VARIANTS["v3"]).state_dict(), tmp_path)
    with pytest.raises(BadConfigError, match=rf"variant '{wrong}'. allowed: v1, v2, v3"):
        hifigan.load(path, wrong)


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "other.pt")
    with pytest.raises(BadConfigError, match="no 'generator'"):
        hifigan.load(str(tmp_path / "other.pt"), "v3")
    with pytest.raises(UnavailableError):
        hifigan.load("missing.pt")


def test_folding_leaves_plain_weights_alone() -> None:
    state = {"conv.weight": torch.ones(2, 2, 2), "conv.bias": torch.ones(2)}
    assert fold_weight_norm(state) == state


@pytest.mark.skipif(not REAL.is_file(), reason="VOXRELAY_SHARED names no folder with weights/hifigan_v3_ljspeech.pt")
def test_official_v3_sounds() -> None:
    model = hifigan.load(str(REAL), "v3")
    quiet = Mel(np.full((441, MEL.bands), np.log(1e-5), np.float32))
    vowel = quiet.data.copy()
    vowel[100:300, 5:30] = 0.0
    silent, spoken = model.vocode([quiet, Mel(vowel)])
    assert len(spoken.data) == clock.MEL_HOP * 441 == 112_896
    assert np.abs(silent.data).max() < 0.02
    loudness = np.abs(spoken.data).reshape(441, 256).mean(1)
    assert loudness[120:280].mean() > 20 * loudness[350:].mean()
