"""Two trainings that begin at once on the same recordings prepare them once."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voxrelay.training.once import once


def test_who_comes_second_waits_and_makes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, begun, waits = tmp_path / "folder" / "made", threading.Event(), threading.Event()
    caplog.set_level(logging.INFO)
    caplog.handler.emit = lambda _: waits.set()  # type: ignore[method-assign]

    def make(wait: float) -> bool:
        assert begun.wait(wait) or not wait
        with once(made) as missing:
            begun.set()
            if missing:
                assert waits.wait(10)
                made.write_text("whole")
            return missing

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(make, (0, 10))) == [True, False]
    with once(made) as missing:
        assert not missing


def test_what_failed_is_made_by_the_next(tmp_path: Path) -> None:
    def fail() -> None:
        with once(tmp_path / "made") as missing:
            assert missing
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - ours
        fail()
    with once(tmp_path / "made") as missing:
        assert missing
