"""contentvec through fairseq and through transformers: the same weights, two environments, the same frames.

The weights are random, written by fairseq in the format of the official checkpoints; ``vox model convert`` makes
of them what transformers reads.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT, run_in, vox, vox_json

CLOSE = 1e-4
LENGTHS = [48_000, 96_000, 320, 4_801, 47_999, 48_319]  # samples: 3 s, 6 s, one frame, and odd ones
LAYERS: list[dict[str, Any]] = [{"layer": 12}, {"layer": 9, "final_proj": True}, {"layer": 11}]
WRITE = ROOT / "tests" / "pools" / "content-fairseq" / "legacy_checkpoint.py"
ENCODE = """
import importlib, json, sys
import numpy as np
import torch
from voxrelay.relay.tensors import Audio
torch.Tensor.half = torch.Tensor.float  # float16, in which frames are handed on, would hide how near they are
out, module, weights, lengths, layers = sys.argv[1:]
model = importlib.import_module(f"voxrelay.workers.content.{module}")
sound = (0.1 * np.random.default_rng(0).standard_normal(100_000)).astype(np.float32)
sounds = [Audio(sound[:length], 16_000) for length in json.loads(lengths)]
loaded = [model.load(weights, **options) for options in json.loads(layers)]
np.savez(out, *(each.encode([one])[0].data for each in loaded for one in sounds))
"""
Frames = list[list[np.ndarray]]  # of each layer, of each length


def encode(environment: str, module: str, weights: Path, lengths: list[int], layers: list[dict[str, Any]]) -> Frames:
    out = weights.with_name(f"{module}.npz")
    run_in(environment, "-c", ENCODE, str(out), module, str(weights), json.dumps(lengths), json.dumps(layers))
    with np.load(out) as found:
        frames = list(found.values())
    return [frames[i : i + len(lengths)] for i in range(0, len(frames), len(lengths))]


def both(folder: Path, lengths: list[int], layers: list[dict[str, Any]], *size: str) -> tuple[Frames, Frames]:
    """Write weights, convert them, and return what fairseq and transformers make of them."""
    legacy, converted = folder / "legacy.pt", folder / "contentvec.safetensors"
    run_in("content-fairseq", str(WRITE), str(legacy), *size)
    done = vox_json("model", "convert", legacy, converted)
    assert Path(done["out"]) == converted
    return (
        encode("content-fairseq", "contentvec_fairseq", legacy, lengths, layers),
        encode("content-transformers", "contentvec", converted, lengths, layers),
    )


def furthest(one: list[np.ndarray], other: list[np.ndarray], lengths: list[int]) -> float:
    """Return the largest difference between frames, N/320 of which there must be."""
    assert [len(frames) for frames in one] == [length // 320 for length in lengths]
    assert [frames.shape for frames in one] == [frames.shape for frames in other]
    assert all(np.ptp(frames) > 0.5 for frames in one)
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def test_two_backends_give_the_same_frames(tmp_path: Path) -> None:
    fairseq, transformers = both(tmp_path, LENGTHS, LAYERS)
    assert [frames[0].shape for frames in fairseq] == [(150, 48), (150, 16), (150, 48)]
    for one, other in zip(fairseq, transformers, strict=True):
        assert furthest(one, other, LENGTHS) < CLOSE
    assert furthest(fairseq[0], transformers[2], LENGTHS) > 100 * CLOSE  # another layer would be noticed


@pytest.mark.slow
def test_the_same_at_the_size_of_hubert_base(tmp_path: Path) -> None:
    lengths = [48_000, 96_000, 5_001]
    [one], [other] = both(tmp_path, lengths, LAYERS[:1], "--base")
    assert one[0].shape == (150, 768)
    assert furthest(one, other, lengths) < CLOSE


def test_what_is_no_checkpoint_is_not_converted(tmp_path: Path, male: Path) -> None:
    out = tmp_path / "out.safetensors"
    for weights, code, told in ((male, 4, "not a PyTorch checkpoint"), (tmp_path / "nowhere.pt", 3, "no such file")):
        assert told in vox("model", "convert", weights, out, code=code).stderr
    assert "folder that exists" in vox("model", "convert", male, tmp_path, code=3).stderr
    assert list(tmp_path.iterdir()) == []
