"""A vocoder that takes a given time and no processor, as one on a GPU does: noise."""

from pathlib import Path
from typing import Any

_MODEL = """
import time
import numpy as np
from voxrelay.relay.tensors import Audio

NOISE = 0.1 * np.random.default_rng(0).standard_normal(112_896).astype(np.float32)

class Toy:
    def __init__(self, seconds):
        self.seconds = seconds

    def vocode(self, mels):
        time.sleep(self.seconds)
        return [Audio(NOISE[: 256 * len(mel.data)], rate=22_050) for mel in mels]

def load(seconds: float = 0.0):
    return Toy(seconds)
"""
NAME = "toy"


def stages(folder: Path, seconds: float) -> dict[str, Any]:
    """Write the model beside a relay's ``queues.yml``; return its line there."""
    (folder / "toy_vocoder.py").write_text(_MODEL)
    return {"vocoder": {NAME: {"pool": "vocoder", "file": "toy_vocoder.py", "options": {"seconds": seconds}}}}
