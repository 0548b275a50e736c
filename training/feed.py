"""Batches, each drawn while the one before is in use."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

B = TypeVar("B")


def feed(draw: Callable[[int], B], steps: range) -> Iterator[B]:
    """Draw the batches of ``steps``; the one after the last is drawn in vain."""
    with ThreadPoolExecutor(1) as drawer:
        coming = drawer.submit(draw, steps.start)
        for step in steps:
            batch = coming.result()
            coming = drawer.submit(draw, step + 1)
            yield batch
