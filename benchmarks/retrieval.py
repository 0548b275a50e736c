"""Retrieval from 10 s to 10 min: seconds and peak memory by length, and its search beside scikit-learn's.

.voxrelay/envs/mel/bin/python -P benchmarks/retrieval.py
OMP_NUM_THREADS=1 .voxrelay/envs/mel/bin/python -P benchmarks/retrieval.py content.safetensors

Seconds are those of one core. Content is random, smooth as speech is (an average over nine frames): 13 features as
``mfcc`` has, and 768 as ContentVec. A source comes as in a pool, by windows of 256 frames of which 224 are heard; each
case is a process of its own. The other searches find the same frames among stacked ones; with a file of content, which
``vox stage content`` writes, in what was really said: a window of its end is sought in the minutes before.
"""

import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay.tensors import Content, Floats, Mel, Voice
from voxrelay.workers.mel import retrieval
from voxrelay.workers.mel.search import Search
from voxrelay.workers.runtime.model import Clip, Target

SECONDS = (10, 60, 600)
WIDTHS = (13, 768)
WINDOW, HEARD = 256, 224
NEIGHBOURS, CONTEXT = 30, 2
HEADER = "| features | reference | search | built s | a window s |\n|---|---|---|---|---|"
ALGORITHMS = ("brute", "kd_tree", "ball_tree")  # of scikit-learn


def smooth(frames: int, width: int, seed: int) -> Floats:
    """Return random tracks, float32 [frames, width]."""
    white = np.random.default_rng(seed).standard_normal((frames + 8, width), dtype=np.float32)
    return sum(white[i : i + frames] for i in range(9)) / 3


def clips(seconds: int, width: int) -> list[Clip]:
    """Return a reference in windows."""
    frames = (WINDOW, clock.mel_frames(WINDOW))
    return [
        Clip(Content(smooth(frames[0], width, seed), "random"), Mel(smooth(frames[1], 80, -1 - seed + 2**20)), 1.0)
        for seed in range(-(-seconds * 50 // WINDOW))
    ]


def peak() -> float:
    """Return the most memory that this process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def case(width: int, source: int, reference: int) -> dict[str, float]:
    """Convert a source with a reference; seconds and MB."""
    bare, model = peak(), retrieval.load(neighbours=NEIGHBOURS, context=CONTEXT)
    given = clips(reference, width)
    target = Target("voice", Voice(np.ones(1, np.float32), "any", seconds=1.0), lambda: given)
    began = time.process_time()
    model.convert([Content(smooth(1, width, 0), "random")], [target])
    prepared = time.process_time()
    for window in range(-(-source * 50 // HEARD)):
        model.convert([Content(smooth(WINDOW, width, 10_000 + window), "random")], [target])
    ended = time.process_time()
    return {"prepare": prepared - began, "convert": ended - prepared, "bare": bare, "peak": peak()}


def searches(width: int, reference: int) -> dict[str, float]:
    """Seconds of building and asking each search once, for one window of random content."""
    algorithms = ALGORITHMS if reference < SECONDS[-1] else ALGORITHMS[:1]  # trees take minutes there
    return compare(smooth(reference * 50, width, 1), smooth(WINDOW, width, 2), algorithms)


def compare(frames: Floats, said: Floats, algorithms: tuple[str, ...]) -> dict[str, float]:
    """Seconds of building each search and of asking it for one window."""
    from sklearn.neighbors import NearestNeighbors

    found: dict[str, float] = {}
    began = time.process_time()
    ours = Search([frames], CONTEXT)
    found["ours, built"] = time.process_time() - began
    found["ours"] = _timed(partial(ours.nearest, said, NEIGHBOURS))
    long, short = (_stacked(each) for each in (frames, said))
    for algorithm in algorithms:
        began = time.process_time()
        theirs = NearestNeighbors(algorithm=algorithm).fit(long)
        found[f"{algorithm}, built"] = time.process_time() - began
        found[algorithm] = _timed(partial(theirs.kneighbors, short, NEIGHBOURS))
    return found


def _timed(ask: Callable[[], object]) -> float:
    ask()
    began = time.process_time()
    ask()
    return time.process_time() - began


def _stacked(frames: Floats) -> Floats:
    around = np.clip(np.arange(len(frames))[:, None] + np.arange(-CONTEXT, CONTEXT + 1), 0, len(frames) - 1)
    return frames[around].reshape(len(frames), -1)


def _apart(*arguments: object) -> dict[str, float]:
    """Run one of the above in a process of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", __file__, *map(str, arguments)]
    done: dict[str, float] = json.loads(subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE).stdout)
    return done


def main() -> None:
    """Print both tables."""
    print("| features | source | reference | prepare s | convert s | of real time | peak MB | bare |")
    print("|---|---|---|---|---|---|---|---|")
    for width, source, reference in itertools.product(WIDTHS, SECONDS, SECONDS):
        done = _apart("case", width, source, reference)
        times = f"{done['prepare']:.2f} | {done['convert']:.2f} | {done['convert'] / source:.4f}"
        print(
            f"| {width} | {source} s | {reference} s | {times} | {done['peak']:.0f} | {done['bare']:.0f} |", flush=True
        )
    print(f"\n{HEADER}")
    for width, reference in itertools.product(WIDTHS, SECONDS):
        show(width, reference, _apart("searches", width, reference))


def show(width: int, reference: int, done: dict[str, float]) -> None:
    """Print rows of the second table."""
    for name in (name for name in ("ours", *ALGORITHMS) if name in done):
        row = f"{name} | {done[name + ', built']:.3f} | {done[name]:.4f}"
        print(f"| {width} | {reference} s | {row} |", flush=True)


def said(file: Path) -> None:
    """Print the second table for recorded content."""
    frames = Content.from_bytes(file.read_bytes()).data.astype(np.float32)
    before, window = frames[:-WINDOW][-SECONDS[-1] * 50 :], frames[-WINDOW:]
    print(HEADER)
    show(frames.shape[1], len(before) // 50, compare(before, window, ALGORITHMS))


if __name__ == "__main__":
    if sys.argv[-1].endswith(".safetensors"):
        said(Path(sys.argv[-1]))
    elif len(sys.argv) > 1:
        print(json.dumps({"case": case, "searches": searches}[sys.argv[1]](*map(int, sys.argv[2:]))))
    else:
        main()
