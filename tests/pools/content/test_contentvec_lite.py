"""contentvec-lite: frame counts, batches, windows, its file, and what it refuses."""

from dataclasses import asdict
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from voxrelay.relay.errors import BadConfigError, BadInputError, UnavailableError
from voxrelay.relay.tensors import Audio, Floats
from voxrelay.workers.content import contentvec_lite
from voxrelay.workers.content.bands import SPEC, log_bands
from voxrelay.workers.content.contentvec_lite import ContentVecLite
from voxrelay.workers.content.encoder import Encoder, Shape, read
from voxrelay.workers.runtime.placement import Placement

RATE = 16_000
NEXT = 2**-10  # relative: how far one number of float16 is from the next
SHAPE = Shape(features=8, channels=16, blocks=2, kernel=3, expansion=2)


def noise(samples: int, seed: int = 0) -> Floats:
    return 0.1 * np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    encoder = Encoder(SHAPE)
    encoder.mean.fill_(-12)
    half = {name: tensor.half() for name, tensor in encoder.state_dict().items()}
    save_file(half, tmp_path / "toy.safetensors", {name: str(size) for name, size in asdict(SHAPE).items()})
    return tmp_path / "toy.safetensors"


@pytest.fixture
def model(weights: Path) -> ContentVecLite:
    return contentvec_lite.load(str(weights))


@pytest.mark.parametrize("samples", [320, 16_000, 48_000, 48_319, 96_000])
def test_frames_are_exactly_samples_by_320(model: ContentVecLite, samples: int) -> None:
    [content] = model.encode([Audio(noise(samples), RATE)])
    assert content.data.shape == (samples // 320, 8)
    assert content.data.dtype == np.float16
    assert content.model == "contentvec-lite"


def test_a_batch_gives_what_each_gives_alone(model: ContentVecLite) -> None:
    clips = [Audio(noise(32_000, seed), RATE) for seed in range(3)]
    for together, clip in zip(model.encode(clips), clips, strict=True):
        np.testing.assert_allclose(together.data, model.encode([clip])[0].data, rtol=NEXT, atol=1e-4)


def test_a_lower_precision_hears_nearly_the_same(model: ContentVecLite, weights: Path) -> None:
    lower, clip = (
        contentvec_lite.load(str(weights), placement=Placement(precision="bfloat16")),
        Audio(noise(32_000), RATE),
    )
    [full], [rough] = model.encode([clip]), lower.encode([clip])
    assert rough.data.dtype == np.float16
    assert 1e-5 < np.abs(full.data - rough.data).mean() < 0.03


def test_a_window_gives_what_the_recording_gives_there(model: ContentVecLite) -> None:
    """Nothing is normalised by what is heard: beyond its receptive field a window's end makes no difference."""
    sound = noise(96_000)
    whole, window = (
        model.encode([Audio(sound, RATE)])[0].data,
        model.encode([Audio(sound[32_000:64_000], RATE)])[0].data,
    )
    np.testing.assert_allclose(window[10:-10], whole[110:190], rtol=NEXT, atol=1e-4)


def test_content_is_where_the_sound_is(model: ContentVecLite) -> None:
    still, clicked = np.zeros(32_000, np.float32), np.zeros(32_000, np.float32)
    clicked[160 + 320 * 40] = 0.5
    difference = np.abs(model.encode([Audio(clicked, RATE)])[0].data - model.encode([Audio(still, RATE)])[0].data)
    assert abs(int(difference.sum(axis=1).argmax()) - 40) <= 1


def test_bands_are_librosas() -> None:
    sound = noise(16_000)
    filters = librosa.filters.mel(sr=RATE, n_fft=SPEC.fft, n_mels=SPEC.bands)
    ours = log_bands(torch.from_numpy(sound)[None], torch.from_numpy(filters))[0].numpy()
    padded = np.pad(sound, (SPEC.fft - SPEC.hop) // 2, mode="reflect")
    theirs = librosa.feature.melspectrogram(
        y=padded, sr=RATE, n_fft=SPEC.fft, hop_length=SPEC.hop, n_mels=SPEC.bands, center=False
    )
    assert np.abs(ours - np.log(theirs.T / (SPEC.fft / 2) ** 2 + 1e-10)).max() < 1e-3


def test_what_it_refuses(model: ContentVecLite, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="48000 Hz"):
        model.encode([Audio(noise(9600), 48_000)])
    with pytest.raises(BadInputError, match="319 samples"):
        model.encode([Audio(noise(319), RATE)])
    with pytest.raises(UnavailableError, match="no weight file"):
        contentvec_lite.load(str(tmp_path / "other.safetensors"))
    with pytest.raises(BadConfigError, match="wanted"):
        read(weights, Shape())
    with pytest.raises(BadConfigError, match="sha256"):
        contentvec_lite.load(str(weights), sha256="0" * 64)
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadConfigError, match="damaged"):
        contentvec_lite.load(str(weights))
    save_file({"a": torch.zeros(1)}, weights, {"features": "8"})
    with pytest.raises(BadConfigError, match="no encoder"):
        contentvec_lite.load(str(weights))
