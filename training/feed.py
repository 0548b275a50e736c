"""Batches, drawn while those before them are in use."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

B = TypeVar("B")
_FOR_A_GPU = 8  # threads: it takes batches faster than one can draw them


def feed(draw: Callable[[int], B], steps: range, device: Any) -> Iterator[B]:  # noqa: ANN401 - a torch device
    """Draw the batches of ``steps`` in turn: one ahead on a CPU, which has to do both, several for a GPU."""
    ahead = 1 if device.type == "cpu" else _FOR_A_GPU
    with ThreadPoolExecutor(ahead) as drawers:
        coming = deque(drawers.submit(draw, step) for step in steps[:ahead])
        for step in steps:
            batch = coming.popleft().result()
            if step + ahead < steps.stop:
                coming.append(drawers.submit(draw, step + ahead))
            yield batch
