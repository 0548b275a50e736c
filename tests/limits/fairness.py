"""Short jobs behind a very long one: each has its turn."""

import statistics
import time
from pathlib import Path

from limits import bench
from limits.bench import Bench, Row
from voxrelay import Producer

LONG, SHORT, JOBS = 7200.0, 10.0, 20
BOUND = 3.0


def seconds_of(where: Bench, source: Path, voice: Path) -> float:
    """Submit a job and wait until it has ended."""
    began = time.monotonic()
    with Producer(where.config).submit(source, str(voice)) as conversion:
        assert conversion.wait() == "done"
        seconds = time.monotonic() - began
        conversion.cancel()
    return seconds


def figures(folder: Path, seed: int, *, long: float, jobs: int) -> tuple[list[float], list[float], int]:
    """Measure short jobs on an idle relay and behind a long job; how many windows of the latter were left."""
    voice = bench.write(folder / "voice.wav", bench.speech(8, seed, bench.CLIPS[1:]))
    source = bench.write(folder / "short.wav", bench.speech(SHORT, seed))
    whole = bench.write(folder / "long.wav", bench.speech(long, seed + 1))
    with bench.relay(folder, {"limits": {"source": 2 * long}}) as where:
        seconds_of(where, source, voice)  # warm, and the voice is prepared
        idle = [seconds_of(where, source, voice) for _ in range(jobs)]
        with Producer(where.config).submit(whole, str(voice)) as conversion:
            behind = [seconds_of(where, source, voice) for _ in range(jobs)]
            summary = conversion.session.ledger.summary(conversion.job)
            left = int(summary["windows_left"])
            assert conversion.state == "running"
            conversion.cancel()
    return idle, behind, left


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size."""
    idle, behind, left = figures(folder, seed, long=LONG, jobs=JOBS)
    base = statistics.median(idle)
    worst, middle = max(behind) / base, statistics.median(behind) / base
    return [
        Row(
            f"{JOBS} jobs of {SHORT:.0f} s, one after another, behind a job of two hours",
            f"each within {BOUND:.0f} x its time on an idle relay",
            f"{middle:.2f} x (median), {worst:.2f} x at most; idle {base:.2f} s; {left} windows of it left",
            worst <= BOUND,
            {"idle": idle, "behind": behind, "left": left},
        )
    ]


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
