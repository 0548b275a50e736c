"""Bars: nothing for what is soon done, and nothing lost of what takes its time."""

import subprocess
import sys

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
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with StepBars(quiet=False) as bars:
        bars.update("speakers", 3, 3)
        bars.update("windows", 1, 9)
        clock[0] += 2.5
        bars.update("windows", 4, 9)
    shown = capsys.readouterr().err
    assert "speakers" in shown
    assert "3/3" in shown
    assert "4/9" in shown
