"""A worker that meets sound of every length keeps to its memory."""

from pathlib import Path

import numpy as np

from voxrelay.relay import config as configuration
from voxrelay.relay.tensors import MEL, Mel
from voxrelay.workers.vocoder import hifigan

LENGTHS = range(300, 336)
PAGE = 4096


def resident() -> float:
    """Return megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def test_every_new_length_does_not_cost_memory_for_good() -> None:
    served = configuration.load().stages["vocoder"]["hifigan-lite"].options
    model = hifigan.load(str(served["weights"]), str(served["variant"]))
    random = np.random.default_rng(0)
    sizes = []
    for frames in LENGTHS:
        model.vocode([Mel(random.normal(-6, 2, (frames, MEL.bands)).astype(np.float32), MEL.fingerprint)])
        sizes.append(resident())
    # Unbounded, each of them costs 40 MB.
    assert sizes[-1] - sizes[11] < 12 * (len(LENGTHS) - 12) / 2, sizes
