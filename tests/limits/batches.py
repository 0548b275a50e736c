"""Batches: windows that are computed eight at a time become what they become alone."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from limits import bench
from limits.bench import Bench, Row, Sound
from voxrelay.producer.plan import plan_conversion
from voxrelay.relay.config import STAGES

BATCH = 8
BOUND = 1e-4


def convert(where: Bench, source: Path, voice: Path) -> tuple[Sound, dict[str, int]]:
    """Convert a recording; returns the sound, float32, and the largest batch of every stage."""
    with where.submit(plan_conversion(where.config, source, str(voice), {})) as conversion:
        sound = np.concatenate(list(conversion.stream()))
        works = conversion.session.ledger.works(conversion.job)
    moments = Counter((work.stage, work.times.started) for work in works if work.part == "window" and not work.cached)
    return sound, {stage: max((n for (of, _), n in moments.items() if of == stage), default=0) for stage in STAGES}


def both(folder: Path, seed: int, seconds: float) -> dict[str, Any]:
    """Convert a recording by pools that batch and by pools that do not; the first work slower than they are fed."""
    source = bench.write(folder / "source.wav", bench.speech(seconds, seed))
    voice = bench.CLIPS[(seed + 1) % 2]
    found = {}
    for batch in (1, BATCH):
        (folder / str(batch)).mkdir()
        with bench.relay(folder / str(batch), batch=batch, wait=0.5) as where:
            found[batch] = convert(where, source, voice)
    (alone, ones), (together, largest) = found[1], found[BATCH]
    difference = float(np.abs(alone - together).max())
    return {"difference": difference, "largest": largest, "unbatched": ones, "loudest": float(np.abs(alone).max())}


def measure(folder: Path, seed: int, seconds: float = 240) -> list[Row]:
    """Compare them."""
    found = both(folder, seed, seconds)
    sizes = ", ".join(f"{stage} {size}" for stage, size in found["largest"].items() if stage != "speaker")
    told = f"{found['difference']:.1e} at most of {found['loudest']:.2f}; largest batches: {sizes}"
    held = found["difference"] <= BOUND and found["largest"]["vocoder"] == BATCH
    return [Row("batch 8 against batch 1", f"<= {BOUND:g} apart", told, held, found)]


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
