"""Generators of the published sizes: seconds of one core and peak memory for one window of 5.12 s.

.voxrelay/envs/vocoder/bin/python -P benchmarks/vocoders.py

The weights are random, which changes neither. Each is a process of its own.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median

import torch

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.workers.runtime.placement import Placed, Placement
from voxrelay.workers.vocoder.antialiased import Activation, BigVgan
from voxrelay.workers.vocoder.generator import VARIANTS, Generator

SECONDS, ROUNDS = 5.12, 5
BASE = VARIANTS["v1"]
LARGE = replace(BASE, channels=1536, upsampling=((4, 8), (4, 8), (2, 4), (2, 4), (2, 4), (2, 4)))
KIND = Activation(beta=True, logarithmic=True)
NAMES = ("hifigan v1", "hifigan v2", "hifigan v3", "bigvgan base", "bigvgan v2")


def build(name: str) -> torch.nn.Module:
    """Make a generator."""
    model, variant = name.split()
    if model == "hifigan":
        return Generator(VARIANTS[variant])
    return BigVgan(BASE, KIND) if variant == "base" else BigVgan(LARGE, KIND, tanh=False, bias=False)


def measure(name: str, precision: str) -> dict[str, float]:
    """Generate twice; the second counts. Of HiFi-GAN tell also how much longer one piece with channels first takes."""
    torch.set_num_threads(1)
    network, placement = build(name), Placement(precision=precision)
    generator = placement.place(network)
    mel = torch.randn(1, MEL.bands, clock.mel_frames(round(SECONDS * 50))) - 5
    generator(mel)
    found = {
        "seconds": _seconds(generator, mel),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if isinstance(network, Generator):
        whole = placement.place(network, network.whole)
        whole(mel)
        turns = [(_seconds(whole, mel), _seconds(generator, mel)) for _ in range(ROUNDS)]
        found["whole"] = median(one / other for one, other in turns)
    return found


def _seconds(generator: Placed, mel: torch.Tensor) -> float:
    began = time.process_time()
    generator(mel)
    return time.process_time() - began


def main() -> None:
    """Print a table."""
    print("| generator | precision | seconds a window | of real time | peak MB | channels first, whole |")
    print("|---|---|---|---|---|---|")
    for name in NAMES:
        for precision in ("float32", "bfloat16"):
            command = [sys.executable, "-P", __file__, name, precision]
            env = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = json.loads(subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE).stdout)
            row = f"{done['seconds']:.2f} | {done['seconds'] / SECONDS:.2f} | {done['megabytes']:.0f}"
            row += f" | {done['whole']:.2f} times as long" if "whole" in done else " | "
            print(f"| {name} | {precision} | {row} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
