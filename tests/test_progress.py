"""Bars: nothing for what is soon done, and nothing lost of what takes its time."""

import subprocess
import sys
import time

import pytest

from voxrelay.cli import progress
from voxrelay.cli.progress import StepBars

_SHORT = """
import sys
from voxrelay.cli.progress import StepBars
with StepBars(quiet=False) as bars:
    bars.update("windows", 1, 2)
    bars.update("windows", 2, 2)
assert not [name for name in sys.modules if name.split(".")[0] == "rich"]
"""


def test_what_is_soon_done_shows_nothing_and_imports_nothing() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", _SHORT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_takes_its_time_shows_every_step_from_the_first_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0.2)
    with StepBars(quiet=False) as bars:
        bars.update("speakers", 3, 3)
        bars.update("windows", 1, 9)
        deadline = time.monotonic() + 10
        while not bars._tasks:  # they come by themselves, however long the next step takes
            assert time.monotonic() < deadline
            time.sleep(0.05)
        bars.update("windows", 4, 9)
    shown = capsys.readouterr().err
    assert "speakers" in shown
    assert "3/3" in shown
    assert "4/9" in shown
