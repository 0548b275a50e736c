"""fairseq 0.12.2 on Python 3.11, by public means only."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def importable() -> Iterator[None]:
    """Let fairseq and hydra be imported inside this context.

    Since Python 3.11 a dataclass refuses any unhashable default, and the configurations of both
    have dataclass instances as defaults. Here they become hashable while they are defined.
    """
    logging.getLogger("fairseq").setLevel(logging.WARNING)  # below it, fairseq prints whole configurations
    import numpy as np  # noqa: F401 - imported before, so that its own classes stay as they are
    import torch  # noqa: F401 - the same

    original = dataclasses.dataclass
    dataclasses.dataclass = _hashable(original)
    try:
        yield
    finally:
        dataclasses.dataclass = original


def _hashable(dataclass: Callable[..., Any]) -> Any:  # noqa: ANN401 - stands in for an overloaded function
    """Wrap the decorator: what is neither frozen nor has a hash of its own gets one from its fields."""

    def decorate(cls: type | None = None, /, **options: Any) -> Any:  # noqa: ANN401 - as the original's
        def apply(cls: type) -> Any:  # noqa: ANN401 - as the original's
            own = options.get("frozen") or "__hash__" in vars(cls)
            return dataclass(cls, **options if own else {**options, "unsafe_hash": True})

        return apply if cls is None else apply(cls)

    return decorate
