"""ContentVec on a small checkpoint in the official legacy format."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import legacy_checkpoint
import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.data.dictionary import Dictionary

from voxrelay.relay.errors import BadConfigError, BadInputError, UnavailableError
from voxrelay.relay.tensors import Audio
from voxrelay.workers.content import contentvec_fairseq as contentvec
from voxrelay.workers.content.hubert import PADDING, ContentVec

ROUNDED = 2**-11  # relative: what rounding to float16 takes


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "legacy.pt"
    legacy_checkpoint.write(path)
    return path


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> ContentVec:
    return contentvec.load(str(checkpoint))


@pytest.fixture(scope="session")
def hubert(checkpoint: Path) -> Any:
    """Return the model as fairseq's own loader reads it."""
    with torch.serialization.safe_globals([Dictionary]):
        models, _, _ = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])
    return models[0].eval()


@pytest.fixture
def changed(checkpoint: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], str]:
    """Return a function that writes the checkpoint anew after a change to its contents."""

    def write(change: Callable[[dict[str, Any]], None]) -> str:
        with torch.serialization.safe_globals([Dictionary]):
            state = torch.load(checkpoint, weights_only=True)
        change(state)
        torch.save(state, tmp_path / "changed.pt")
        return str(tmp_path / "changed.pt")

    return write


def clip(seconds: float, seed: int = 0) -> Audio:
    samples = round(seconds * 16_000)
    return Audio((0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32), 16_000)


@torch.inference_mode()
def direct(hubert: Any, sound: Audio, layer: int) -> np.ndarray:
    wave = torch.from_numpy(np.pad(sound.data, 40))[None]
    result = hubert(wave, mask=False, features_only=True, output_layer=layer)["x"][0]
    return np.asarray(result)


def test_dataclass_is_restored_after_the_import() -> None:
    assert dataclasses.dataclass.__module__ == "dataclasses"


@pytest.mark.parametrize(("seconds", "frames"), [(0.02, 1), (0.3, 15), (3, 150), (5.12, 256), (6, 300)])
def test_frames_are_samples_over_320(model: ContentVec, seconds: float, frames: int) -> None:
    [content] = model.encode([clip(seconds)])
    assert content.data.shape == (frames, 48)
    assert content.data.dtype == np.float16
    assert content.model == "contentvec-fairseq"


@pytest.mark.parametrize("layer", [1, 9, 12])
def test_equals_fairseqs_own_loader_and_forward(checkpoint: Path, hubert: Any, layer: int) -> None:
    sound = clip(1)
    [content] = contentvec.load(str(checkpoint), layer=layer).encode([sound])
    wanted = direct(hubert, sound, layer)
    np.testing.assert_allclose(content.data, wanted, rtol=ROUNDED, atol=1e-6)
    [projected] = contentvec.load(str(checkpoint), layer=layer, final_proj=True).encode([sound])
    weight, bias = (parameter.detach().numpy() for parameter in (hubert.final_proj.weight, hubert.final_proj.bias))
    np.testing.assert_allclose(projected.data, wanted @ weight.T + bias, rtol=ROUNDED, atol=1e-5)


def test_batch_equals_single(model: ContentVec) -> None:
    sounds = [clip(2, seed) for seed in range(8)]
    for one, sound in zip(model.encode(sounds), sounds, strict=True):
        np.testing.assert_allclose(one.data, model.encode([sound])[0].data, rtol=2 * ROUNDED, atol=1e-5)


def test_padding_centres_the_frames(model: ContentVec, hubert: Any) -> None:
    pulse = np.zeros(3200, np.float32)
    pulse[5 * 320 : 6 * 320] = clip(0.02).data  # sounds in frame 5 and nowhere else
    with torch.inference_mode():
        convolved = hubert.feature_extractor(torch.from_numpy(np.pad(pulse, PADDING))[None])[0]
    change = (convolved - convolved[:, :1]).abs().sum(0)
    assert change.argmax() == 5
    assert len(model.encode([Audio(pulse, 16_000)])[0].data) == 10


def test_bytes_round_trip(model: ContentVec) -> None:
    [content] = model.encode([clip(1)])
    np.testing.assert_array_equal(type(content).from_bytes(content.to_bytes()).data, content.data)


@pytest.mark.parametrize("sound", [Audio(np.zeros(319, np.float32), 16_000), Audio(np.zeros(4000, np.float32), 8000)])
def test_refuses_what_it_cannot_hear(model: ContentVec, sound: Audio) -> None:
    with pytest.raises(BadInputError, match="320 samples or more at 16000 Hz"):
        model.encode([sound])


@pytest.mark.parametrize("layer", [0, 13])
def test_names_the_layers(checkpoint: Path, layer: int) -> None:
    with pytest.raises(BadConfigError, match=f"layer {layer} .allowed: 1 to 12"):
        contentvec.load(str(checkpoint), layer=layer)


def test_missing_and_other_file(checkpoint: Path) -> None:
    with pytest.raises(UnavailableError, match=r"nowhere\.pt"):
        contentvec.load("nowhere.pt")
    with pytest.raises(BadConfigError, match="sha256"):
        contentvec.load(str(checkpoint), sha256="00")


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_another_pickled_class_is_refused_and_not_executed(changed: Any, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    path = changed(lambda state: state.update(criterion=Command(f"touch {trace}")))
    with pytest.raises(BadConfigError, match=r"it holds \w+\.system"):
        contentvec.load(path)
    assert not trace.exists()


def test_code_in_the_configuration_is_refused_and_not_executed(changed: Any, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    code = f"[(32,10,5)] + __import__('pathlib').Path({str(trace)!r}).touch()"
    path = changed(lambda state: state["cfg"]["model"].update(conv_feature_layers=code))
    with pytest.raises(BadConfigError, match="not a list of convolutions"):
        contentvec.load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("task", "normalize", True, "normalize True"),
        ("model", "encoder_embed_dim", 64, "not a HuBERT checkpoint"),
        ("model", "conv_feature_layers", "[(32,10,5)] + [(32,3,2)] * 4 + [(32,2,2)] + [(32,2,1)]", "50 a second"),
    ],
)
def test_other_configurations_are_refused(changed: Any, section: str, key: str, value: object, told: str) -> None:
    path = changed(lambda state: state["cfg"][section].update({key: value}))
    with pytest.raises(BadConfigError, match=told):
        contentvec.load(path)


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    torch.save({"generator": {}}, tmp_path / "other.pt")
    with pytest.raises(BadConfigError, match="not a HuBERT checkpoint of fairseq"):
        contentvec.load(str(tmp_path / "other.pt"))
