"""ContentVec through transformers, on small random weights in the layout of the hub."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel

from voxrelay.relay.errors import BadConfigError, BadInputError, UnavailableError
from voxrelay.relay.tensors import Audio
from voxrelay.workers.content import contentvec, convert, layout

ROUNDED = 2**-11  # relative: what rounding to float16 takes
SIZES = {
    "conv_dim": [32] * 7,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "classifier_proj_size": 16,
}


class Published(HubertModel):
    """The class that the configuration on the hub names."""

    def __init__(self, config: HubertConfig) -> None:
        super().__init__(config)
        self.final_proj = torch.nn.Linear(config.hidden_size, config.classifier_proj_size)


@pytest.fixture(scope="session")
def published() -> Published:
    torch.manual_seed(0)
    model = Published(HubertConfig(architectures=["HubertModelWithFinalProj"], **SIZES))
    for name, weight in model.named_parameters():
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "bias")):
            torch.nn.init.normal_(weight, std=0.2)  # so that attention attends to something
    return model.eval()


@pytest.fixture(scope="session")
def folder(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model as transformers itself saves it."""
    path = tmp_path_factory.mktemp("models") / "content-vec-best"
    published.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def pickled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model as it lies on the hub: a pickle, weight norm under its old names."""
    path = tmp_path_factory.mktemp("pickled")
    (path / layout.CONFIG).write_bytes((folder / layout.CONFIG).read_bytes())
    _, tensors = layout.read(folder)
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        position = "encoder.pos_conv_embed.conv."
        tensors[position + old] = tensors.pop(f"{position}parametrizations.weight.{new}")
    torch.save(tensors, path / layout.PICKLE)
    return path


def clip(samples: int, seed: int = 0) -> Audio:
    return Audio((0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32), 16_000)


@torch.inference_mode()
def direct(published: Published, sound: Audio, layer: int) -> np.ndarray:
    wave = torch.from_numpy(np.pad(sound.data, 40))[None]
    states = published(wave, output_hidden_states=True).hidden_states
    assert len(states) == 13
    return np.asarray(states[layer][0])


@pytest.mark.parametrize(
    ("samples", "frames"), [(320, 1), (4800, 15), (48_000, 150), (81_920, 256), (96_000, 300), (48_319, 150)]
)
def test_frames_are_samples_over_320(folder: Path, samples: int, frames: int) -> None:
    [content] = contentvec.load(str(folder)).encode([clip(samples)])
    assert content.data.shape == (frames, 48)
    assert content.data.dtype == np.float16
    assert content.model == "contentvec"


@pytest.mark.parametrize("layer", [1, 9, 12])
def test_equals_the_hidden_states_of_transformers(folder: Path, published: Published, layer: int) -> None:
    sound = clip(16_000)
    wanted = direct(published, sound, layer)
    [content] = contentvec.load(str(folder), layer=layer).encode([sound])
    np.testing.assert_allclose(content.data, wanted, rtol=ROUNDED, atol=1e-6)
    [content] = contentvec.load(str(folder), layer=layer, final_proj=True).encode([sound])
    assert content.data.shape == (50, 16)
    projected = published.final_proj(torch.from_numpy(wanted)).detach()
    np.testing.assert_allclose(content.data, projected, rtol=ROUNDED, atol=1e-6)


def test_every_form_is_the_same_model(folder: Path, pickled: Path, tmp_path: Path) -> None:
    assert convert.main([str(pickled), str(tmp_path / "one.safetensors")]) == 0
    assert convert.main([str(pickled), str(tmp_path / "folder")]) == 0
    sound = clip(8000)
    [wanted] = contentvec.load(str(folder)).encode([sound])
    for path in (pickled, tmp_path / "one.safetensors", tmp_path / "folder"):
        np.testing.assert_array_equal(contentvec.load(str(path)).encode([sound])[0].data, wanted.data)
    assert (tmp_path / "one.safetensors").stat().st_mode & 0o044 == 0o044


def test_transformers_reads_what_was_converted(published: Published, pickled: Path, tmp_path: Path) -> None:
    convert.convert(pickled, tmp_path / "folder")
    model, found = Published.from_pretrained(tmp_path / "folder", output_loading_info=True)
    assert not any(found[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    sound = clip(8000)
    np.testing.assert_allclose(direct(model.eval(), sound, 12), direct(published, sound, 12), atol=1e-6)


def test_batch_equals_single(folder: Path) -> None:
    model, sounds = contentvec.load(str(folder)), [clip(32_000, seed) for seed in range(4)]
    for one, sound in zip(model.encode(sounds), sounds, strict=True):
        np.testing.assert_allclose(one.data, model.encode([sound])[0].data, rtol=2 * ROUNDED, atol=1e-5)


def test_half_precision_weights_are_taken(folder: Path, tmp_path: Path) -> None:
    config, tensors = layout.read(folder)
    layout.write(tmp_path / "half.safetensors", config, {name: value.half() for name, value in tensors.items()})
    [found] = contentvec.load(str(tmp_path / "half.safetensors")).encode([clip(8000)])
    [wanted] = contentvec.load(str(folder)).encode([clip(8000)])
    assert 0 < np.abs(found.data - wanted.data).max() < 0.1


@pytest.mark.parametrize("sound", [Audio(np.zeros(319, np.float32), 16_000), Audio(np.zeros(4000, np.float32), 8000)])
def test_refuses_what_it_cannot_hear(folder: Path, sound: Audio) -> None:
    with pytest.raises(BadInputError, match="contentvec takes 320 samples or more at 16000 Hz"):
        contentvec.load(str(folder)).encode([sound])


@pytest.mark.parametrize("layer", [0, 13])
def test_names_the_layers(folder: Path, layer: int) -> None:
    with pytest.raises(BadConfigError, match=f"layer {layer} .allowed: 1 to 12"):
        contentvec.load(str(folder), layer=layer)


def test_missing_and_other_files(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXRELAY_MODELS", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"contentvec\.safetensors.*vox model"):
        contentvec.load()
    with pytest.raises(BadConfigError, match="sha256"):
        contentvec.load(str(folder), sha256="00")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / layout.CONFIG).write_text("{}")
    with pytest.raises(BadConfigError, match="neither"):
        contentvec.load("empty")


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another kind": ({"model_type": "bert"}, "no configuration of a HuBERT model"),
    "another size": ({"hidden_size": 64}, "not the parameters"),
    "more layers": ({"num_hidden_layers": 13}, "not the parameters"),
    "another hop": ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, "50 a second"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_configurations_are_refused(folder: Path, tmp_path: Path, change: str) -> None:
    config, tensors = layout.read(folder)
    different, told = CHANGES[change]
    layout.write(tmp_path / "other.safetensors", {**config, **different}, tensors)
    with pytest.raises(BadConfigError, match=told):
        contentvec.load(str(tmp_path / "other.safetensors"))


def test_a_missing_and_an_unknown_parameter_are_refused(folder: Path, tmp_path: Path) -> None:
    config, tensors = layout.read(folder)
    layout.write(tmp_path / "more.safetensors", config, {**tensors, "more": torch.zeros(1)})
    layout.write(tmp_path / "less", config, {n: t for n, t in tensors.items() if n != "final_proj.bias"})
    for name in ("more.safetensors", "less"):
        with pytest.raises(BadConfigError, match="not the parameters"):
            contentvec.load(str(tmp_path / name))


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_malicious_folder_is_refused_and_not_executed(
    pickled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "executed"
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / layout.CONFIG).write_text(json.dumps({"model_type": "hubert", "auto_map": {"AutoModel": "x"}}))
    torch.save({"weight": Command(f"touch {trace}")}, tmp_path / "bad" / layout.PICKLE)
    assert convert.main([str(tmp_path / "bad"), str(tmp_path / "out")]) == 4
    assert "refused: it holds" in capsys.readouterr().err
    assert not trace.exists()
    assert not (tmp_path / "out").exists()
    assert convert.main([str(pickled), str(tmp_path / "out")]) == 0
