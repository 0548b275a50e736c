"""ContentVec through transformers: see :mod:`~voxrelay.workers.content.hubert`."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import HubertConfig, HubertModel

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.content import layout
from voxrelay.workers.content.hubert import ContentVec, check_hop, check_layer
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find

NAME = "contentvec"
_PROJECTION = "final_proj."
_WEIGHT_NORM = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


class Hubert(nn.Module):
    """A HuBERT model up to one of its layers, and the projection that may follow."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        sizes = HubertConfig.from_dict(config)
        self.hubert = HubertModel(sizes)
        self.final_proj = nn.Linear(sizes.hidden_size, sizes.classifier_proj_size)

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return len(self.hubert.encoder.layers)

    def cut(self, layer: int, *, final_proj: bool) -> None:
        """Leave away what comes after a layer; its output is then this model's."""
        del self.hubert.encoder.layers[layer:]
        if not final_proj:
            self.final_proj = nn.Identity()

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Turn sound, float32 [batch, samples] at 16 kHz, into float32 [batch, frames, dimensions]."""
        found: torch.Tensor = self.final_proj(self.hubert(waves).last_hidden_state)
        return found


def load(
    weights: str = "contentvec.safetensors",
    layer: int = 12,
    sha256: str = "",
    placement: Placement = CPU,
    *,
    final_proj: bool = False,
) -> ContentVec:
    """Load weights of the transformers layout.

    Args:
        weights: a file or folder that :mod:`~voxrelay.workers.content.layout` describes, absolute or in the
            model folder.
        layer: the transformer layer whose output is the content, from 1.
        sha256: what the hash of the file that holds the parameters must be; empty: any.
        placement: where it computes.
        final_proj: project that output to 256 dimensions, as models made for layer 9 expect.

    Raises:
        UnavailableError: there is no such file or folder.
        BadConfigError: no such weights, or no such layer.

    """
    path = find(weights, holding=layout.CONFIG)
    hubert = build(*layout.read(path, sha256), path)
    check_layer(layer, hubert.layers, path)
    hubert.cut(layer, final_proj=final_proj)
    model = ContentVec(placement.place(hubert), NAME)
    check_hop(model, path)
    return model


def build(config: dict[str, Any], tensors: dict[str, Any], path: Path) -> Hubert:
    """Build the model of a configuration and fill it, in float32.

    Raises:
        BadConfigError: the parameters are others than the configuration says.

    """
    try:
        with torch.device("meta"):  # not worth filling with random numbers first
            hubert = Hubert(config)
        hubert.load_state_dict({_name(name): value for name, value in tensors.items()}, assign=True)
    except Exception as error:  # transformers and torch each have their own
        hint = "weights of lengyue233/content-vec-best, or what `vox model convert` wrote"
        raise BadConfigError("not the parameters of a ContentVec model", where=str(path), hint=hint) from error
    hubert.float().eval()
    return hubert


def _name(name: str) -> str:
    """Return the name in :class:`Hubert`; weight norm was two plain parameters before PyTorch 2."""
    stem, _, last = name.rpartition(".")
    name = f"{stem}.{_WEIGHT_NORM[last]}" if last in _WEIGHT_NORM else name
    return name if name.startswith(_PROJECTION) else f"hubert.{name}"
