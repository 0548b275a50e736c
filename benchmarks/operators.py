"""The operators that one window costs at each stage, by torch's profiler; started by profiles.py.

Arguments: packages of another pool, for alone.py, and a recording of one window.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile
from alone import Models
from torch.profiler import ProfilerActivity, profile

from voxrelay.relay import clock
from voxrelay.relay.tensors import Audio

ROUNDS, TOLD = 5, 5


class Profiled(Models):
    """Models whose stages are profiled; ``spent``: microseconds of each operator itself, by stage."""

    def __init__(self) -> None:
        super().__init__()
        self.spent: defaultdict[str, Counter[str]] = defaultdict(Counter)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Profile what this takes."""
        with profile(activities=[ProfilerActivity.CPU]) as found:
            yield
        for each in found.key_averages():
            self.spent[stage][each.key] += each.self_cpu_time_total


def main() -> None:
    """Print a table."""
    models = Profiled()
    data, _ = soundfile.read(Path(sys.argv[2]), dtype="float32")
    sound = Audio(data[: len(data) // clock.CONTENT_HOP * clock.CONTENT_HOP], clock.RATE)
    models.convert([sound], [sound])  # what happens once only is not told
    models.spent.clear()
    for _ in range(ROUNDS):
        models.convert([sound], [sound])
    print("| stage | ms in operators, a window | of which in |\n|---|---|---|")
    for stage, spent in models.spent.items():
        total = spent.total()
        shares = ", ".join(f"`{name}` {each / total:.0%}" for name, each in spent.most_common(TOLD))
        print(f"| {stage} | {total / 1000 / ROUNDS:.1f} | {shares} |")


if __name__ == "__main__":
    main()
