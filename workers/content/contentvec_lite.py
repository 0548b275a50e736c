"""contentvec-lite: a small content encoder of this project's own, trained by ``training/content``.

The idea is ContentVec's (Qian et al. 2022, arXiv 2204.09224), the network another: ConvNeXt blocks
on mel bands, a hundredth of the computation. It claims none of the published figures.
"""

from collections.abc import Sequence

import librosa
import torch

from voxrelay.relay import clock
from voxrelay.relay.tensors import Audio, Content
from voxrelay.workers.content.bands import SPEC, log_bands
from voxrelay.workers.content.clips import stack
from voxrelay.workers.content.encoder import NAME, Encoder, read
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find


class ContentVecLite:
    """Implements :class:`~voxrelay.workers.runtime.model.ContentModel`."""

    def __init__(self, encoder: Encoder, placement: Placement) -> None:
        self._encode = placement.place(encoder)
        self._filters = torch.from_numpy(
            librosa.filters.mel(sr=SPEC.rate, n_fft=SPEC.fft, n_mels=SPEC.bands, fmin=SPEC.low, fmax=SPEC.high)
        )

    def encode(self, clips: Sequence[Audio]) -> list[Content]:
        """Encode mono clips of equal length, float32 [N] at 16 kHz, into float16 [N/320, features].

        Raises:
            BadInputError: a clip at another rate, or shorter than one frame.

        """
        whole = clock.content_frames(len(clips[0].data)) * clock.CONTENT_HOP
        sound = torch.from_numpy(stack(clips, NAME)[:, :whole])
        return [Content(row, model=NAME) for row in self._encode(log_bands(sound, self._filters)).half().numpy()]


def load(weights: str = "contentvec-lite.safetensors", sha256: str = "", placement: Placement = CPU) -> ContentVecLite:
    """Load an encoder.

    Args:
        weights: what ``vox train content`` exported; absolute, in the model folder, or shipped.
        sha256: what the file's hash must be; empty: any.
        placement: where it computes.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: the file holds no such encoder.

    """
    return ContentVecLite(read(find(weights), sha256=sha256), placement)
