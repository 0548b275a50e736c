"""Published generators: equal to a second statement of them, official names and sizes, and what is refused."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import second
import torch
from second import PERIODIC, SMALL, Config, State
from torch import nn

from voxrelay.relay.errors import BadConfigError, BadInputError, UnavailableError
from voxrelay.relay.tensors import MEL, Mel, MelSpec
from voxrelay.workers.vocoder import bigvgan, hifigan
from voxrelay.workers.vocoder.bigvgan import PublishedBigVgan
from voxrelay.workers.vocoder.generator import VARIANTS, Generator
from voxrelay.workers.vocoder.neural import Neural
from voxrelay.workers.vocoder.published import Published, fill

OPTIONS = ("resblock", "activation", "snake_logscale", "use_tanh_at_final", "use_bias_at_final")
HIFIGANS = [SMALL | {"resblock": block} for block in "12"]
BIGVGANS = [
    SMALL | dict(zip(OPTIONS, values, strict=True))
    for values in itertools.product("12", ("snake", "snakebeta"), *[(False, True)] * 3)
]


def write(folder: Path, config: Config, state: State, name: str = "generator.pt") -> str:
    second.write(folder / name, config, state)
    return str(folder / name)


def load(folder: Path, config: Config, state: State, name: str = "generator.pt") -> Neural:
    path = write(folder, config, state, name)
    return bigvgan.load(path) if "activation" in config else hifigan.load(path)


def network(config: Config) -> nn.Module:
    if "activation" in config:
        return PublishedBigVgan.model_validate(config).build()
    return Generator(Published.model_validate(config).variant)


def mel(frames: int = 6) -> Mel:
    return Mel(np.random.default_rng(3).normal(-5, 2, (frames, MEL.bands)).astype(np.float32))


def label(config: Config) -> str:
    return "-".join(
        str(config.get(key, "")) for key in ("resblock", "activation", "snake_logscale", "use_tanh_at_final")
    )


@pytest.mark.parametrize("config", HIFIGANS + BIGVGANS, ids=label)
def test_the_sound_is_that_of_a_second_implementation(config: Config, tmp_path: Path) -> None:
    state, heard = second.draw(config, loudness=1 if "activation" in config else 10), mel()
    expected = second.generate(state, config, heard.data.T.astype(np.float64))
    assert expected.shape == (6 * 256,)
    assert np.std(expected) > 0.05
    assert np.mean(np.abs(expected) > 0.99) < 0.1
    [sound] = load(tmp_path, config, state).vocode([heard])
    assert np.abs(sound.data - expected).max() < 1e-5
    exact = network(config).double().eval()
    torch.save({"generator": {name: torch.from_numpy(value) for name, value in state.items()}}, tmp_path / "exact.pt")
    fill(exact, tmp_path / "exact.pt")
    with torch.inference_mode():
        found = exact(torch.from_numpy(heard.data.T.astype(np.float64))[None])[0].numpy()
    assert np.abs(found - expected).max() < 1e-10


@pytest.mark.parametrize("end", [False, True])
def test_what_is_too_loud_ends_as_published(tmp_path: Path, *, end: bool) -> None:
    config = PERIODIC | {"use_tanh_at_final": end}
    state, heard = second.draw(config, loudness=30), mel()
    expected = second.generate(state, config, heard.data.T.astype(np.float64))
    assert (np.abs(expected) == 1).any() != end
    [sound] = load(tmp_path, config, state).vocode([heard])
    assert np.abs(sound.data - expected).max() < 1e-4  # rounding is as loud


@pytest.mark.parametrize(
    ("name", "millions", "count"),
    [
        ("v1", "13.9", 13_926_017),
        ("v2", "0.93", 925_985),
        ("v3", "1.46", 1_462_273),
        ("bigvgan-base", "14", 13_943_361),
        ("bigvgan-v2", "112", 112_199_472),
    ],
)
def test_names_shapes_and_numbers_of_the_published_sizes(name: str, millions: str, count: int) -> None:
    config = second.PUBLISHED[name]
    with torch.device("meta"):
        ours = network(config)
    official = {
        key.removesuffix("_v"): shape for key, shape in second.shapes(config).items() if not key.endswith("weight_g")
    }
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == official
    assert sum(parameter.numel() for parameter in ours.parameters()) == count
    assert f"{count / 1e6:.{len(millions.partition('.')[2])}f}" == millions
    if name in VARIANTS:
        assert Published.model_validate(config).variant == VARIANTS[name]


@pytest.mark.parametrize("config", [SMALL, PERIODIC], ids=["hifigan", "bigvgan"])
def test_every_official_name_is_wanted_and_no_other(config: Config, tmp_path: Path) -> None:
    whole = second.draw(config)
    for name in ("conv_pre.weight_g", "ups.1.0.weight_v" if config is PERIODIC else "ups.1.weight_v", "conv_post.bias"):
        with pytest.raises(BadConfigError, match=name.replace(".weight_g", "").replace(".", r"\.")):
            load(tmp_path, config, {key: value for key, value in whole.items() if key != name})
    with pytest.raises(BadConfigError, match=r"conv_pre\.weight is missing, .*conv_prae\.bias is unknown"):
        load(tmp_path, config, {key.replace("conv_pre", "conv_prae"): value for key, value in whole.items()})
    with pytest.raises(BadConfigError, match=r"conv_pre\.weight_g is \[16\] instead of \[16, 1, 1\]"):
        load(tmp_path, config, whole | {"conv_pre.weight_g": np.ones(16)})
    with pytest.raises(BadConfigError, match=r"conv_pre\.bias is \[15\] instead of \[16\]"):
        load(tmp_path, config, whole | {"conv_pre.bias": np.ones(15)})


@pytest.mark.parametrize("config", [SMALL, PERIODIC], ids=["hifigan", "bigvgan"])
def test_safetensors_folded_weights_and_a_configuration_of_its_own_name(config: Config, tmp_path: Path) -> None:
    state, heard = second.draw(config), mel()
    [wanted] = load(tmp_path, config, state).vocode([heard])
    [same] = load(tmp_path, config, state, "generator.safetensors").vocode([heard])
    np.testing.assert_array_equal(same.data, wanted.data)
    folded = network(config)
    fill(folded, tmp_path / "generator.pt")
    torch.save({"generator": folded.state_dict()}, tmp_path / "folded.pt")
    (tmp_path / "config.json").rename(tmp_path / "folded.json")
    model = (bigvgan if config is PERIODIC else hifigan).load(str(tmp_path / "folded.pt"))
    np.testing.assert_array_equal(model.vocode([heard])[0].data, wanted.data)


@pytest.mark.parametrize(
    ("change", "fingerprint"),
    [
        ({"fmax": None}, "22050Hz-fft1024-hop256-win1024-80x0-11025Hz"),
        ({"sampling_rate": 24000, "num_mels": 100, "fmax": 12000}, "24000Hz-fft1024-hop256-win1024-100x0-12000Hz"),
        ({"n_fft": 2048}, "22050Hz-fft2048-hop256-win1024-80x0-8000Hz"),
    ],
)
@pytest.mark.parametrize("config", [SMALL, PERIODIC], ids=["hifigan", "bigvgan"])
def test_a_generator_for_other_mels_is_refused_with_both_named(
    config: Config, change: dict[str, Any], fingerprint: str, tmp_path: Path
) -> None:
    with pytest.raises(BadConfigError) as caught:
        load(tmp_path, config | change, second.draw(config | change))
    assert fingerprint in str(caught.value)
    assert MEL.fingerprint in str(caught.value)


def test_another_mel_is_refused_by_name(tmp_path: Path) -> None:
    model, other = load(tmp_path, PERIODIC, second.draw(PERIODIC)), MelSpec(high=11_025).fingerprint
    with pytest.raises(BadInputError, match="bigvgan takes") as caught:
        model.vocode([Mel(mel().data, spec=other)])
    assert other in str(caught.value)
    assert MEL.fingerprint in str(caught.value)


@pytest.mark.parametrize("module", [hifigan, bigvgan])
def test_a_missing_configuration_is_told(module: Any, tmp_path: Path) -> None:
    path = write(tmp_path, PERIODIC, second.draw(PERIODIC), "g_02500000")
    (tmp_path / "config.json").unlink()
    with pytest.raises(UnavailableError, match=r"no g_02500000\.json and no config\.json beside g_02500000"):
        module.load(path)
    with pytest.raises(UnavailableError, match="no weight file"):
        module.load("missing.pt")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resblock": "3"}, "resblock: .*found '3'"),
        ({"upsample_rates": [8, 8, 2]}, "128 samples a frame, hop 256"),
        ({"upsample_kernel_sizes": [16, 16]}, "not as many as upsample_rates"),
        ({"resblock_dilation_sizes": [[1]]}, "not as many as resblock_kernel_sizes"),
        ({"activation": "relu"}, "activation: .*found 'relu'"),
        ({"num_mels": None}, "num_mels"),
    ],
)
def test_a_wrong_configuration_is_explained(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = write(tmp_path, PERIODIC | change, {})
    with pytest.raises(BadConfigError, match=rf"config\.json: .*{words}"):
        bigvgan.load(path)


def test_a_configuration_of_hifigan_is_none_of_bigvgan(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL, second.draw(SMALL))
    with pytest.raises(BadConfigError, match="activation: Field required"):
        bigvgan.load(path)
    with pytest.raises(BadConfigError, match="sha256"):
        hifigan.load(path, sha256="0" * 64)
