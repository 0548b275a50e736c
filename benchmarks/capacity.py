"""How many workers and relays a load needs: from what throughput.py and scaling.py measured, by arithmetic alone.

Seconds of a window in each stage are those of the models alone on one core; processor time and bytes of a window at
Redis those of the backlog, whose windows are shorter but cost as many commands. Workers are planned to be busy
seven tenths of the time, a redis-server, which has one thread, as well.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
HOURS = (1, 1_000, 100_000)  # of speech a day
EXACT = 100  # processes: above, a part of one is nothing
STEP = 4.48  # seconds of speech that a window adds
BUSY = 0.7
STAGES = ("content", "mel", "vocoder")


def figures(name: str, key: str) -> dict[str, Any]:
    """Read the figures of the row of a benchmark that has these; nothing if that part of it was not run."""
    path = RESULTS / f"{name}.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return next((row["figures"] for row in rows if key in row["figures"]), {})


def main() -> None:
    """Print the tables."""
    alone, loaded = figures("throughput", "stages"), figures("scaling", "costs")
    if not alone or not loaded:
        sys.exit("run `throughput.py long` and `scaling.py backlog` first")
    seconds = {stage: median(each[stage] for each in alone["stages"]) / alone["windows"] for stage in STAGES}
    redis = {name: median(each[f"redis {name} ms"] for each in loaded["costs"]) / 1000 for name in ("jobs", "tensors")}
    print("| | " + " | ".join(STAGES) + " | redis jobs | redis tensors |\n|---|---|---|---|---|---|")
    print(
        "| ms a window | "
        + " | ".join(f"{1000 * value:.1f}" for value in (*seconds.values(), *redis.values()))
        + " |\n"
    )
    print(f"| hours a day | windows a second | {' | '.join(STAGES)} | redis jobs | redis tensors |")
    print("|---|---|---|---|---|---|---|")
    for hours in HOURS:
        rate = hours * 3600 / STEP / 86_400
        needs = [rate * each / BUSY for each in (*seconds.values(), *redis.values())]
        print(f"| {hours:,} | {rate:.3g} | {' | '.join(map(_processes, needs))} |")


def _processes(need: float) -> str:
    """Round up; tell the exact number where rounding hides much."""
    whole = f"{-int(-need // 1):,}"
    return f"{whole} ({need:.2g})" if need < EXACT else whole


if __name__ == "__main__":
    main()
