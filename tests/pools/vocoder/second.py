"""A second statement of the HiFi-GAN and BigVGAN generators, in float64 NumPy, to hold the first against.

Written from the papers (arXiv 2010.05646 and 2206.04658) and the layout of the published checkpoints: it knows the
configurations, names and shapes of those by itself, and shares no line with what it tests. As a program it writes a
small BigVGAN, and its configuration under the same name.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.float64]
State = dict[str, Array]
Config = dict[str, Any]

_MEL = {"sampling_rate": 22050, "n_fft": 1024, "hop_size": 256, "win_size": 1024, "num_mels": 80, "fmin": 0}
_MEL |= {"fmax": 8000, "num_freq": 1025, "segment_size": 8192}
_WIDE = {"resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3}
_BY_256 = {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4]}
_NARROW = {"upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8], "resblock_kernel_sizes": [3, 5, 7]}
_SIX = {"upsample_rates": [4, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4]}
_BETA = {"activation": "snakebeta", "snake_logscale": True}
PUBLISHED: dict[str, Config] = {
    "v1": {"resblock": "1", "upsample_initial_channel": 512, **_BY_256, **_WIDE, **_MEL},
    "v2": {"resblock": "1", "upsample_initial_channel": 128, **_BY_256, **_WIDE, **_MEL},
    "v3": {"resblock": "2", "upsample_initial_channel": 256, **_NARROW,
           "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]], **_MEL},
    "bigvgan-base": {"resblock": "1", "upsample_initial_channel": 512, **_BY_256, **_WIDE, **_BETA, **_MEL},
    "bigvgan-v2": {"resblock": "1", "upsample_initial_channel": 1536, **_SIX, **_WIDE, **_BETA, **_MEL,
                   "use_tanh_at_final": False, "use_bias_at_final": False},
}  # fmt: skip
SMALL: Config = PUBLISHED["v1"] | {
    "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8], "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 7], "resblock_dilation_sizes": [[1, 3, 5], [1, 2]],
}  # fmt: skip
PERIODIC: Config = SMALL | _BETA


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published checkpoint, weight norm included."""
    found: dict[str, tuple[int, ...]] = {}
    for name, shape, bias in _convolutions(config):
        found |= {f"{name}.weight_g": (shape[0], 1, 1), f"{name}.weight_v": shape}
        found |= {f"{name}.bias": (bias,)} if bias else {}
    for name, channels in _activations(config):
        found[f"{name}.act.alpha"] = (channels,)
        if config["activation"] == "snakebeta":
            found[f"{name}.act.beta"] = (channels,)
        found |= {f"{name}.upsample.filter": (1, 1, 12), f"{name}.downsample.lowpass.filter": (1, 1, 12)}
    return found


def draw(config: Config, seed: int = 0, loudness: float = 1.0) -> State:
    """Draw a checkpoint whose signals neither die out nor explode; ``loudness`` scales what the last layer gives."""
    rng, state = np.random.default_rng(seed), State()
    for name, shape in shapes(config).items():
        if name.endswith("filter"):
            state[name] = low_pass()[None, None]
        elif name.endswith("weight_g"):
            state[name] = rng.uniform(0.4, 0.8, shape) * (loudness if "post" in name else 1)
        elif name.endswith((".alpha", ".beta")):
            drawn = rng.uniform(-1, 1, shape)
            state[name] = drawn if config["snake_logscale"] else np.exp(drawn)
        else:
            state[name] = rng.normal(0, 0.1 if name.endswith("bias") else 1, shape)
    return state


def generate(state: State, config: Config, mel: Array) -> Array:
    """Log-mel [bands, frames] to sound [frames * hop]."""
    big = "activation" in config

    def act(name: str, slope: float) -> Callable[[Array], Array]:
        return (lambda x: antialiased(state, config, name, x)) if big else (lambda x: np.where(x > 0, x, slope * x))

    x = convolve(state, "conv_pre", mel)
    parallel = len(config["resblock_kernel_sizes"])
    for i, (rate, kernel) in enumerate(zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)):
        raised = x if big else act("", 0.1)(x)
        x = stretch(state, f"ups.{i}.0" if big else f"ups.{i}", raised, rate, (kernel - rate) // 2)
        blocks = []
        for j, dilations in enumerate(config["resblock_dilation_sizes"]):
            name, y = f"resblocks.{parallel * i + j}", x
            for n, dilation in enumerate(dilations):
                if config["resblock"] == "1":
                    inner = act(f"{name}.activations.{2 * n}", 0.1)(y)
                    inner = convolve(state, f"{name}.convs1.{n}", inner, dilation)
                    inner = act(f"{name}.activations.{2 * n + 1}", 0.1)(inner)
                    y = y + convolve(state, f"{name}.convs2.{n}", inner)
                else:
                    inner = act(f"{name}.activations.{n}", 0.1)(y)
                    y = y + convolve(state, f"{name}.convs.{n}", inner, dilation)
            blocks.append(y)
        x = np.mean(blocks, axis=0)
    sound = convolve(state, "conv_post", act("activation_post", 0.01)(x))[0]
    return np.tanh(sound) if config.get("use_tanh_at_final", True) else np.clip(sound, -1, 1)


def convolve(state: State, name: str, x: Array, dilation: int = 1) -> Array:
    """Cross-correlate with as much zero padding as keeps the length."""
    weight = _normed(state, name)
    reach = dilation * (weight.shape[2] - 1) // 2
    padded = np.pad(x, ((0, 0), (reach, reach)))
    taps = [padded[:, k * dilation :][:, : x.shape[1]] for k in range(weight.shape[2])]
    return np.einsum("oik,kit->ot", weight, np.stack(taps)) + _bias(state, name)


def stretch(state: State, name: str, x: Array, rate: int, cut: int) -> Array:
    """Convolve with ``rate - 1`` zeros between samples, and cut the ends."""
    weight = _normed(state, name)  # [in, out, taps]
    rows = [sum(signal.upfirdn(weight[i, o], x[i], up=rate) for i in range(len(x))) for o in range(weight.shape[1])]
    whole = np.stack(rows)
    return whole[:, cut : whole.shape[1] - cut] + _bias(state, name)


def antialiased(state: State, config: Config, name: str, x: Array) -> Array:
    """Activate at twice the rate, [channels, time] to the same."""
    taps = low_pass()
    raised = signal.upfirdn(2 * taps, np.pad(x, ((0, 0), (5, 5)), mode="edge"), up=2)[:, 15:-15]
    alpha = state[f"{name}.act.alpha"][:, None]
    beta = state[f"{name}.act.beta"][:, None] if config["activation"] == "snakebeta" else alpha
    if config["snake_logscale"]:
        alpha, beta = np.exp(alpha), np.exp(beta)
    bent = raised + np.sin(alpha * raised) ** 2 / (beta + 1e-9)
    padded = np.pad(bent, ((0, 0), (5, 6)), mode="edge")
    return np.stack([np.convolve(row, taps, mode="valid")[::2] for row in padded])


def low_pass() -> Array:
    """Design a filter of 12 taps that passes the lower half of the band."""
    shape = signal.kaiser_beta(signal.kaiser_atten(6, 1.2))
    taps: Array = signal.firwin(12, 0.5, window=("kaiser", shape))
    return taps


def _normed(state: State, name: str) -> Array:
    direction = state[f"{name}.weight_v"]
    length = np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True))
    return state[f"{name}.weight_g"] * direction / length


def _bias(state: State, name: str) -> Array | float:
    return state[f"{name}.bias"][:, None] if f"{name}.bias" in state else 0.0


def _widths(config: Config) -> list[int]:
    return [config["upsample_initial_channel"] >> i for i in range(len(config["upsample_rates"]) + 1)]


def _blocks(config: Config) -> Iterator[tuple[str, int, int, int]]:
    """Name, channels, kernel and number of dilations of every residual block."""
    names = iter(range(1000))
    for channels in _widths(config)[1:]:
        for kernel, dilations in zip(config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True):
            yield f"resblocks.{next(names)}", channels, kernel, len(dilations)


def _convolutions(config: Config) -> Iterator[tuple[str, tuple[int, int, int], int]]:
    """Name, shape and length of the bias of every convolution."""
    widths = _widths(config)
    yield "conv_pre", (widths[0], config["num_mels"], 7), widths[0]
    for i, kernel in enumerate(config["upsample_kernel_sizes"]):
        name = f"ups.{i}.0" if "activation" in config else f"ups.{i}"
        yield name, (widths[i], widths[i + 1], kernel), widths[i + 1]
    for block, channels, kernel, depth in _blocks(config):
        for part in ("convs1", "convs2") if config["resblock"] == "1" else ("convs",):
            for n in range(depth):
                yield f"{block}.{part}.{n}", (channels, channels, kernel), channels
    yield "conv_post", (1, widths[-1], 7), 1 if config.get("use_bias_at_final", True) else 0


def _activations(config: Config) -> Iterator[tuple[str, int]]:
    """Name and channels of every periodic activation; HiFi-GAN has none."""
    if "activation" in config:
        for block, channels, _kernel, depth in _blocks(config):
            for n in range(depth * int(config["resblock"] == "1") + depth):
                yield f"{block}.activations.{n}", channels
        yield "activation_post", _widths(config)[-1]


def write(file: Path, config: Config, state: State) -> None:
    """Lay a checkpoint and its configuration out as they are published."""
    import torch
    from safetensors.torch import save_file

    tensors = {name: torch.from_numpy(value).float() for name, value in state.items()}
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save({"generator": tensors}, file)
    file.with_name("config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    wanted = Path(sys.argv[1])
    write(wanted, PERIODIC, draw(PERIODIC))
    wanted.with_name("config.json").rename(wanted.with_suffix(".json"))
