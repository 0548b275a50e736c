"""ContentVec through fairseq: HuBERT features from which the speaker was trained away.

Qian et al. 2022, arXiv 2204.09224; https://github.com/auspicious3000/contentvec (MIT). The official
"legacy" checkpoints, such as ``checkpoint_best_legacy_500.pt``, are HuBERT-base models of
https://github.com/facebookresearch/fairseq.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import Audio, Content
from voxrelay.workers.content.fairseq_compat import importable
from voxrelay.workers.runtime import weights

PADDING = 40  # samples on each side: the receptive field is 400, so frames become exactly N/320
_CONV = r"\[ *\( *\d{1,4} *, *\d{1,2} *, *\d{1,2} *\) *\]( *\* *\d{1,2})?"
_CONVS = re.compile(rf"{_CONV}( *\+ *{_CONV})*")


class ContentVec:
    """Implements :class:`~voxrelay.workers.runtime.model.ContentModel` on the CPU."""

    def __init__(self, hubert: Any, layer: int) -> None:  # noqa: ANN401 - a fairseq HubertModel
        self._hubert = hubert.eval()
        self._layer = layer

    @torch.inference_mode()
    def encode(self, clips: Sequence[Audio]) -> list[Content]:
        """Encode mono clips of equal length, float32 [N] at 16 kHz, into float32 [N/320, dimensions].

        Raises:
            BadInputError: a clip at another rate, or shorter than one frame.

        """
        for clip in clips:
            if clip.rate != clock.RATE or len(clip.data) < clock.CONTENT_HOP:
                what = f"a clip of {len(clip.data)} samples at {clip.rate} Hz"
                raise BadInputError(
                    what, hint=f"contentvec takes {clock.CONTENT_HOP} samples or more at {clock.RATE} Hz"
                )
        waves = torch.from_numpy(np.stack([clip.data for clip in clips])).float()
        waves = torch.nn.functional.pad(waves, (PADDING, PADDING))
        features, _ = self._hubert.extract_features(waves, output_layer=self._layer)
        return [Content(row, model="contentvec") for row in features.contiguous().numpy()]


def load(checkpoint: str, layer: int = 12, sha256: str = "") -> ContentVec:
    """Load an official legacy checkpoint.

    Args:
        checkpoint: the weight file, absolute or in the model folder.
        layer: the transformer layer whose output is the content, from 1.
        sha256: what the file's hash must be; empty: any.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: the file is no such checkpoint, or has no such layer.

    """
    path = weights.find(checkpoint)
    hubert = _read(path, sha256)
    layers = len(hubert.encoder.layers)
    if not 1 <= layer <= layers:
        raise BadConfigError(f"layer {layer}", where=str(path), hint=f"allowed: 1 to {layers}")
    model = ContentVec(hubert, layer)
    _check_hop(model, path)
    return model


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

    state = weights.load_torch(path, sha256=sha256, allowed=[Dictionary])
    try:
        task, model = (state["cfg"][part] for part in ("task", "model"))
        _check_config(task, model, path)
        hubert = HubertModel(
            merge_with_parent(HubertConfig(), OmegaConf.create(model), remove_missing=True),
            merge_with_parent(HubertPretrainingConfig(), OmegaConf.create(task), remove_missing=True),
            state["task_state"]["dictionaries"],
        )
        hubert.load_state_dict(state["model"])
    except BadConfigError:
        raise
    except Exception as error:  # omegaconf, fairseq and torch each have their own
        hint = "contentvec reads the official legacy checkpoints, such as checkpoint_best_legacy_500.pt"
        raise BadConfigError("not a HuBERT checkpoint of fairseq", where=str(path), hint=hint) from error
    return hubert


def _check_config(task: dict[str, Any], model: dict[str, Any], path: Path) -> None:
    """Refuse a configuration that means other input, or that is more than a configuration."""
    if task["normalize"] or task["sample_rate"] != clock.RATE:
        what = f"wants input with normalize {task['normalize']} at {task['sample_rate']} Hz"
        raise BadConfigError(what, where=str(path), hint=f"only normalize False at {clock.RATE} Hz is read")
    layers = str(model["conv_feature_layers"])
    if not _CONVS.fullmatch(layers):  # fairseq evaluates this string as Python
        raise BadConfigError(f"conv_feature_layers {layers[:80]!r}", where=str(path), hint="not a list of convolutions")


def _check_hop(model: ContentVec, path: Path) -> None:
    """Refuse strides other than HuBERT's, which the shapes of the weights do not show."""
    frames = len(model.encode([Audio(np.zeros(10 * clock.CONTENT_HOP, np.float32), clock.RATE)])[0].data)
    if frames != 10:  # noqa: PLR2004 - as many as were sent
        raise BadConfigError(f"{frames} frames of 200 ms of sound", where=str(path), hint="content has 50 a second")
