"""What the queue adds to a window: the whole chain with models that compute nothing, beside four direct calls.

The private relay as `vox up` starts it: every job on the disk before it is answered. One window at a time; its time is
that from its release to the moment when its sound was filed, as the trace has it. Tensors are of the real sizes:
768 features, 80 bands, 5.12 s of sound. Direct calls are those of the models in one process: no FLAC, no envelope.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from bench import Report, Row, Size, cpu_seconds, main, relay, relay_processes, simulated, speech
from simulated import Simulated

from voxrelay import Producer
from voxrelay.relay import clock
from voxrelay.relay.config import STAGES
from voxrelay.relay.tensors import Audio

BOUND = 0.025
PARTS = ("waited", "moved", "worked")


def chains(producer: Producer, source: Path, voice: Path) -> tuple[list[float], dict[str, list[float]]]:
    """Convert; return the seconds of each window's chain, and of what each stage waited, moved and worked."""
    with producer.submit(source, str(voice)) as conversion:
        for _ in conversion.stream():
            pass
        works = [work for work in conversion.session.ledger.works(conversion.job) if work.part == "window"]
    by_window: dict[int, list[float]] = {}
    parts: dict[str, list[float]] = {}
    for work in works:
        by_window.setdefault(work.index, []).extend((work.times.queued, work.times.filed))
        for part in PARTS:
            parts.setdefault(f"{work.stage} {part}", []).append(work.report()[part])
    return [max(moments) - min(moments) for moments in by_window.values()], parts


def direct(times: int) -> float:
    """Return the seconds of four direct calls."""
    model = Simulated(0.0)
    sound = Audio(np.zeros(81_920, dtype=np.float32), clock.RATE)
    found = []
    for _ in range(times):
        began = time.perf_counter()
        model.embed([sound])
        content = model.encode([sound])
        model.vocode(model.convert(content, []))
        found.append(time.perf_counter() - began)
    return median(found)


def measure(size: Size) -> Report:
    """Measure."""
    with relay({**simulated(), "limits": {"in_flight": 1}}) as producer, tempfile.TemporaryDirectory() as folder:
        source = speech(Path(folder) / "source.wav", size.of(150, 12))
        voice = speech(Path(folder) / "voice.wav", 6)
        chains(producer, source, voice)
        medians, calls, every = [], [], list[dict[str, list[float]]]()
        processes = relay_processes(producer)
        costs: dict[str, list[float]] = {name: [] for name in processes}
        for _ in range(size.rounds):
            before = {name: cpu_seconds([process]) for name, process in processes.items()}
            found, parts = chains(producer, source, voice)
            for name, process in processes.items():
                costs[name].append(1000 * (cpu_seconds([process]) - before[name]) / len(found))
            medians.append(median(found))
            calls.append(direct(size.of(50, 3)))
            every.append(parts)
    added = median(medians) - median(calls)
    last = {name: 1000 * median(values) for name, values in every[-1].items()}
    where = "; ".join(f"{stage} {_parts(last, stage)}" for stage in STAGES)
    spread = f"{1000 * min(medians):.1f} to {1000 * max(medians):.1f}"
    used = ", ".join(f"{name.rsplit(' ', name[-1].isdigit())[0]} {median(cost):.1f}" for name, cost in costs.items())
    told = f"**{1000 * added:.1f} ms** ({spread}); waited + moved + worked: {where}; ms of processor a window: {used}"
    row = Row(
        "chain of four stages, models that compute nothing, real tensors",
        f"four direct calls ({1000 * median(calls):.2f} ms)",
        "<= 25 ms", told, added <= BOUND, {"chains": medians, "calls": calls, "stages": every, "costs": costs},
    )  # fmt: skip
    bias = (
        "against the queue by what a stage does besides its model (FLAC in and out, the envelope of the source), and "
        "by jobs that are on the disk. For it by windows that come one at a time and so wait for nobody."
    )
    return Report([row], bias)


def _parts(milliseconds: dict[str, float], stage: str) -> str:
    return " + ".join(f"{milliseconds[f'{stage} {part}']:.1f}" for part in PARTS)


if __name__ == "__main__":
    main(measure, __doc__ or "")
