"""gr0: an acoustic model in the style of GR0, zero-shot by a speaker embedding.

Wang, Su, Finkelstein and Jin, "GR0: Self-supervised global representation learning for zero-shot voice
conversion", ICASSP 2024: features that vary with time, and one global vector that modulates every
layer of a generator. Here the vector is a Resemblyzer embedding and the generator ConvNeXt blocks, trained by
``training/mel``; none of the published figures are claimed.
"""

from voxrelay.workers.mel.following import Following
from voxrelay.workers.mel.networks import read
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find


def load(
    weights: str = "gr0.safetensors", sha256: str = "", leave: float = 0.0, placement: Placement = CPU
) -> Following:
    """Load an acoustic model.

    Args:
        weights: what ``vox train mel`` exported; absolute, in the model folder, or shipped.
        sha256: what the file's hash must be; empty: any.
        leave: how many times what lies between the source's voice and the target's the latter is moved on before it is
            told; 0: as it is. More of it is more of the person, and less of the words.
        placement: where it computes.

    Raises:
        UnavailableError: there is no such file.
        BadConfigError: the file holds no such model.

    """
    return Following(*read(find(weights), "gr0", sha256=sha256), placement, leave)
