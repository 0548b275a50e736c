"""ContentVec: HuBERT features from which the speaker was trained away; what its two backends share.

Qian et al. 2022, arXiv 2204.09224; https://github.com/auspicious3000/contentvec (MIT). The official
"legacy" checkpoints, such as ``checkpoint_best_legacy_500.pt``, are HuBERT-base models of
https://github.com/facebookresearch/fairseq.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import Audio, Content
from voxrelay.workers.content.clips import stack

PADDING = 40  # samples on each side: the receptive field is 400, so frames become exactly N/320
_TRIED = 10  # frames

Features = Callable[[torch.Tensor], torch.Tensor]


class ContentVec:
    """Implements :class:`~voxrelay.workers.runtime.model.ContentModel`.

    Args:
        features: turns padded sound, float32 [batch, N + 80] at 16 kHz, into float32 [batch, N/320, dimensions].
        name: of the model in ``queues.yml``.

    """

    def __init__(self, features: Features, name: str) -> None:
        self._features, self._name = features, name

    @torch.inference_mode()
    def encode(self, clips: Sequence[Audio]) -> list[Content]:
        """Encode mono clips of equal length, float32 [N] at 16 kHz, into float16 [N/320, dimensions].

        Frame ``i`` is centred on sample ``320 * i + 160``. Clips are never padded to a common length: the
        first convolution is normalised over time, so padding would change every frame.

        Raises:
            BadInputError: a clip at another rate, or shorter than one frame.

        """
        waves = functional.pad(torch.from_numpy(stack(clips, self._name)), (PADDING, PADDING))
        return [Content(row, model=self._name) for row in self._features(waves).contiguous().half().numpy()]


def check_layer(layer: int, layers: int, path: Path) -> None:
    """Refuse a layer that a model does not have; they count from 1."""
    if not 1 <= layer <= layers:
        raise BadConfigError(f"layer {layer}", where=str(path), hint=f"allowed: 1 to {layers}")


def check_hop(model: ContentVec, path: Path) -> None:
    """Refuse strides other than HuBERT's, which the shapes of the weights do not show."""
    frames = len(model.encode([Audio(np.zeros(_TRIED * clock.CONTENT_HOP, np.float32), clock.RATE)])[0].data)
    if frames != _TRIED:
        raise BadConfigError(f"{frames} frames of 200 ms of sound", where=str(path), hint="content has 50 a second")
