"""Published generators: the checkpoint, and the configuration file that lies beside it.

The layout is HiFi-GAN's (https://github.com/jik876/hifi-gan), which BigVGAN took over
(https://github.com/NVIDIA/BigVGAN): a file of ``{'generator': state_dict}`` and a JSON of hyper-parameters.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadConfigError, UnavailableError
from voxrelay.relay.tensors import MEL, MelSpec
from voxrelay.workers.runtime.weights import load_safetensors, load_torch
from voxrelay.workers.vocoder.generator import Variant

_LISTED = 3  # wrong parameters that an error names


class Published(BaseModel):
    """What a configuration file says of a generator and of the mel it takes; keys of its training are ignored."""

    model_config = ConfigDict(frozen=True)

    resblock: Literal["1", "2"]
    upsample_rates: list[int] = Field(min_length=1)
    upsample_kernel_sizes: list[int]
    upsample_initial_channel: int
    resblock_kernel_sizes: list[int] = Field(min_length=1)
    resblock_dilation_sizes: list[list[int]]
    sampling_rate: int
    n_fft: int
    hop_size: int
    win_size: int
    num_mels: int
    fmin: int
    fmax: int | None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.upsample_kernel_sizes) != len(self.upsample_rates):
            raise ValueError("upsample_kernel_sizes: not as many as upsample_rates")
        if len(self.resblock_dilation_sizes) != len(self.resblock_kernel_sizes):
            raise ValueError("resblock_dilation_sizes: not as many as resblock_kernel_sizes")
        if math.prod(self.upsample_rates) != self.hop_size:
            raise ValueError(f"upsample_rates: {math.prod(self.upsample_rates)} samples a frame, hop {self.hop_size}")
        return self

    @property
    def variant(self) -> Variant:
        """Hyper-parameters of the network."""
        return Variant(
            self.upsample_initial_channel,
            tuple(zip(self.upsample_rates, self.upsample_kernel_sizes, strict=True)),
            paired=self.resblock == "1",
            blocks=tuple(zip(self.resblock_kernel_sizes, map(tuple, self.resblock_dilation_sizes), strict=True)),
        )

    @property
    def mel(self) -> MelSpec:
        """Definition of the mel it takes; no ``fmax`` is half the sampling rate."""
        high = self.sampling_rate // 2 if self.fmax is None else self.fmax
        return MelSpec(
            self.sampling_rate, self.n_fft, self.hop_size, self.win_size, self.num_mels, low=self.fmin, high=high
        )


Kind = TypeVar("Kind", bound=Published)


def configuration_of(checkpoint: Path, kind: type[Kind]) -> Kind:
    """Read the configuration beside a checkpoint: ``CHECKPOINT.json`` with its suffix replaced, or ``config.json``.

    Raises:
        UnavailableError: there is neither.
        BadConfigError: the file is no such configuration, or that of a generator for other mels than ours.

    """
    path = _beside(checkpoint)
    try:
        found = kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadConfigError(configuration.explain(error), where=str(path), hint="take its publisher's file") from error
    if found.mel != MEL:
        what = f"this generator takes {found.mel.fingerprint}, our mels are {MEL.fingerprint}"
        raise BadConfigError(what, where=str(path), hint="take a checkpoint that was trained on ours")
    return found


def _beside(checkpoint: Path) -> Path:
    names = (checkpoint.with_suffix(".json").name, "config.json")
    found = next((path for name in names if (path := checkpoint.with_name(name)).is_file()), None)
    if found is None:
        what = f"no {' and no '.join(dict.fromkeys(names))} beside {checkpoint.name}"
        hint = "get the configuration from where the checkpoint is from: its shape stands there"
        raise UnavailableError(what, where=str(checkpoint.parent), hint=hint)
    return found


def fill(
    generator: torch.nn.Module,
    checkpoint: Path,
    sha256: str = "",
    hint: str = "is the configuration beside it its own?",
) -> None:
    """Fill a generator with a checkpoint: exactly its parameters, with weight norm or folded.

    Args:
        generator: whose parameters carry the official names.
        checkpoint: ``{'generator': state_dict}``, or a safetensors file of the same tensors (``.safetensors``).
        sha256: what the file's hash must be; empty: any.
        hint: what to do if it holds others.

    Raises:
        BadConfigError: another hash, a damaged file, or a parameter that is missing, unknown or of another shape.

    """
    state = _state(checkpoint, sha256)
    try:
        state = fold_weight_norm(state)
    except (ValueError, AttributeError) as error:
        raise BadConfigError(f"not the weights of this generator: {error}", where=str(checkpoint), hint=hint) from error
    if wrong := _differences(generator.state_dict(), state):
        more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        what = f"not the weights of this generator: {', '.join(wrong[:_LISTED])}{more}"
        raise BadConfigError(what, where=str(checkpoint), hint=hint)
    generator.load_state_dict(state)


def _state(checkpoint: Path, sha256: str) -> Mapping[str, Any]:
    if checkpoint.suffix == ".safetensors":
        return load_safetensors(checkpoint, sha256=sha256)[0]
    state = load_torch(checkpoint, sha256=sha256).get("generator")
    if not isinstance(state, dict):
        raise BadConfigError("no 'generator' in this checkpoint", where=str(checkpoint))
    return state


def _differences(wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> Sequence[str]:
    return [
        *(f"{name} is missing" for name in wanted if name not in found),
        *(f"{name} is unknown" for name in found if name not in wanted),
        *(
            f"{name} is {list(found[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in found and found[name].shape != tensor.shape
        ),
    ]


def fold_weight_norm(state: Mapping[str, Any]) -> dict[str, Any]:
    """Replace every ``weight_g``, ``weight_v`` by ``weight`` = g v / |v|; what has none stays as it is.

    The norm is over all but the first dimension (Salimans and Kingma 2016, arXiv 1602.07868).

    Raises:
        ValueError: one of the two is missing, or their shapes do not belong together.

    """
    folded = {name: value for name, value in state.items() if not name.endswith((".weight_g", ".weight_v"))}
    for base in dict.fromkeys(name[:-2] for name in state if name not in folded):
        gain, direction = state.get(f"{base}_g"), state.get(f"{base}_v")
        if gain is None or direction is None:
            raise ValueError(f"{base}_{'v' if direction is None else 'g'} is missing")
        norm = direction.flatten(1).norm(dim=1).view(-1, *[1] * (direction.dim() - 1))
        if gain.shape != norm.shape:
            raise ValueError(f"{base}_g is {list(gain.shape)} instead of {list(norm.shape)}")
        folded[base] = direction * (gain / norm)
    return folded
