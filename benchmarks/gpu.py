"""On a GPU: sixteen windows at once beside one, and the whole chain at full size beside real time. Random weights.

.voxrelay/envs/content-transformers/bin/python -P benchmarks/gpu.py

Networks of the published sizes, which is all that speed depends on: HuBERT base (ContentVec, 95 M parameters), gr0's
generator, BigVGAN v2 (112 M), in float16, placed as by `device: cuda:0` and `precision: float16` of a pool. Sound on
the CPU goes in and comes out. Without a GPU it says so and ends with 0; `--device cpu --small` shows that it runs.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch
from transformers import HubertConfig, HubertModel

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.workers.mel.modulated import VOICE, Modulated, Shape
from voxrelay.workers.mel.networks import to_mel_frames
from voxrelay.workers.runtime.placement import Placement
from voxrelay.workers.vocoder.antialiased import Activation, BigVgan
from voxrelay.workers.vocoder.generator import VARIANTS

SAMPLES = 81_920
BATCH, ROUNDS = 16, 5
GAIN, SPEED = 6, 200  # what sixteen at once, and the chain, must come to
BASE = VARIANTS["v1"]
BIGVGAN = replace(BASE, channels=1536, upsampling=((4, 8), (4, 8), (2, 4), (2, 4), (2, 4), (2, 4)))

Step = Callable[[int], object]


def steps(placement: Placement, *, small: bool) -> dict[str, Step]:
    """Make each network, and return what it does with so many windows; ``chain`` is all three in turn."""
    narrow = {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 2}
    hubert = HubertModel(HubertConfig(**narrow if small else {}))
    encode = placement.place(hubert, lambda waves: hubert(waves).last_hidden_state)
    width = hubert.config.hidden_size
    convert = placement.place(Modulated(Shape(features=width)))
    sizes = replace(BIGVGAN, channels=64) if small else BIGVGAN
    generate = placement.place(BigVgan(sizes, Activation(beta=True, logarithmic=True), tanh=False, bias=False))
    samples = SAMPLES // 16 if small else SAMPLES
    sound = torch.randn(BATCH, samples + 80)  # 40 samples on each side: exactly N/320 frames
    frames = clock.content_frames(samples)
    content = torch.randn(BATCH, frames, width)
    mels = torch.randn(BATCH, MEL.bands, clock.mel_frames(frames)) - 5
    voice, register = torch.randn(BATCH, VOICE), torch.full((BATCH, 2), 0.2)
    timbre = torch.full((BATCH, MEL.bands), -6.0)
    nothing = torch.zeros(BATCH, 0, 0)  # is looked up

    def mel(given: torch.Tensor) -> torch.Tensor:
        rows = to_mel_frames(torch.cat([given, torch.zeros(*given.shape[:2], 3)], dim=2))
        whose = (one[: len(rows)] for one in (voice, register, timbre, nothing, nothing))
        return convert(rows[..., :-3], rows[..., -3:], *whose)

    return {
        "content": lambda n: encode(sound[:n]),
        "mel": lambda n: mel(content[:n]),
        "vocoder": lambda n: generate(mels[:n]),
        "chain": lambda n: generate(mel(encode(sound[:n])).transpose(1, 2).contiguous()),
    }


def seconds(step: Step, count: int) -> float:
    """Return the median seconds of a step; what comes out is on the CPU, so all was waited for."""
    step(count)
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        step(count)
        found.append(time.perf_counter() - began)
    return median(found)


def main() -> None:
    """Print a table, or that there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--precision", default="float16")
    parser.add_argument("--small", action="store_true", help="networks and windows of no size: only see that it runs")
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print("gpu: skipped, there is none here")
        return
    precision = "float32" if asked.device == "cpu" else asked.precision
    made = steps(Placement(device=asked.device, precision=precision), small=asked.small)
    print("| gpu | one window | sixteen | windows a second, sixteen to one | of real time |\n|---|---|---|---|---|")
    length = SAMPLES / clock.RATE / (16 if asked.small else 1)
    gains = {}
    for name, step in made.items():
        one, many = seconds(step, 1), seconds(step, BATCH)
        gains[name], speed = BATCH * one / many, BATCH * length / many
        print(
            f"| {name} | {1000 * one:.1f} ms | {1000 * many:.1f} ms | {gains[name]:.1f}x | {speed:.0f}x |", flush=True
        )
    held = gains["chain"] >= GAIN and speed >= SPEED
    print(f"\nBounds: sixteen to one >= {GAIN}x, whole chain >= {SPEED}x real time: {'held' if held else 'missed'}.")
    where = torch.cuda.get_device_name() if asked.device.startswith("cuda") else "CPU"
    print(f"Machine: {where}, {precision}, torch {torch.__version__}.")
    print("Leans to: for us by a queue that is not there.")
    sys.exit(0 if held or asked.small else 1)


if __name__ == "__main__":
    main()
