"""autovc-f0: an acoustic model in the style of AutoVC_F0, zero-shot by a speaker embedding.

Qian et al. 2019, arXiv 1905.05879, and Qian, Jin, Hasegawa-Johnson and Mysore 2020, arXiv 2004.07370: a
bottleneck too narrow for who speaks, and a decoder that is told the melody apart from its register. See
:mod:`~voxrelay.workers.mel.bottleneck`; trained by ``training/mel``, none of the published figures are claimed.
"""

from voxrelay.workers.mel.following import Following
from voxrelay.workers.mel.networks import read
from voxrelay.workers.runtime.placement import CPU, Placement
from voxrelay.workers.runtime.weights import find


def load(weights: str = "autovc-f0.safetensors", sha256: str = "", placement: Placement = CPU) -> Following:
    """Load an acoustic model; arguments and errors are those of :func:`voxrelay.workers.mel.gr0.load`."""
    return Following(*read(find(weights), "autovc-f0", sha256=sha256), placement)
