"""ContentVec through fairseq, from an official legacy checkpoint: see :mod:`~voxrelay.workers.content.hubert`."""

from pathlib import Path
from typing import Any

import torch

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.content import legacy
from voxrelay.workers.content.fairseq_compat import importable
from voxrelay.workers.content.hubert import ContentVec, Features, check_hop, check_layer
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find, load_torch

NAME = "contentvec-fairseq"


def load(
    weights: str, layer: int = 12, sha256: str = "", placement: Placement = CPU, *, final_proj: bool = False
) -> ContentVec:
    """Load an official legacy checkpoint.

    Args:
        weights: the checkpoint, absolute or in the model folder.
        layer: the transformer layer whose output is the content, from 1.
        sha256: what the file's hash must be; empty: any.
        placement: where it computes.
        final_proj: project that output to 256 dimensions, as models made for layer 9 expect.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: the file is no such checkpoint, or has no such layer.

    """
    path = find(weights)
    hubert = _read(path, sha256).eval()
    check_layer(layer, len(hubert.encoder.layers), path)
    model = ContentVec(placement.place(hubert, _features(hubert, layer, final_proj=final_proj)), NAME)
    check_hop(model, path)
    return model


def _features(hubert: Any, layer: int, *, final_proj: bool) -> Features:  # noqa: ANN401 - a fairseq HubertModel
    def features(waves: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = hubert.extract_features(waves, output_layer=layer)[0]
        if final_proj:
            found = hubert.final_proj(found)
        return found

    return features


def _read(path: Path, sha256: str) -> Any:  # noqa: ANN401 - a fairseq HubertModel
    """Build the HuBERT model that a checkpoint describes, and fill it.

    The class is chosen here rather than by fairseq's registries, which would build whatever
    the file names.
    """
    with importable():
        from fairseq.data.dictionary import Dictionary
        from fairseq.dataclass.utils import merge_with_parent
        from fairseq.models.hubert import HubertConfig, HubertModel
        from fairseq.tasks.hubert_pretraining import HubertPretrainingConfig
        from omegaconf import OmegaConf

    state = load_torch(path, sha256=sha256, allowed=[Dictionary])
    try:
        task, model = legacy.config(state, path)
        hubert = HubertModel(
            merge_with_parent(HubertConfig(), OmegaConf.create(model), remove_missing=True),
            merge_with_parent(HubertPretrainingConfig(), OmegaConf.create(task), remove_missing=True),
            state["task_state"]["dictionaries"],
        )
        hubert.load_state_dict(state["model"])
    except BadConfigError:
        raise
    except Exception as error:  # omegaconf, fairseq and torch each have their own
        raise legacy.refused(path) from error
    return hubert
