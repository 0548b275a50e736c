"""From a fresh clone to the first converted recording of one's own, as README says: commands and minutes."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

import documents
from conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_from_a_clone_to_a_recording_of_ones_own(
    male: Path, female: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    for clip, name in ((male, "hello.wav"), (female, "anna.wav")):
        soundfile.write(clone / name, *soundfile.read(clip))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VOXRELAY_", "VIRTUAL_ENV"))}
    commands = [one for one in documents.commands(ROOT / "README.md") if one.text != "make test"]  # this is part of it
    began, typed = time.monotonic(), 0
    lines = []
    try:
        while not (clone / "hello-anna.wav").exists():
            command = commands[typed]
            subprocess.run(["bash", "-c", command.text], cwd=clone, env=env, check=True, capture_output=True, text=True)
            typed += 1
            lines.append(f"{(time.monotonic() - began) / 60:5.1f} min  {command.text}")
    finally:
        subprocess.run([".venv/bin/vox", "down"], cwd=clone, env=env, check=False, capture_output=True)
    record_property("told", "\n".join([f"{typed} commands after the clone, and when each had ended:", *lines]))
    assert soundfile.info(clone / "hello-anna.wav").duration == pytest.approx(soundfile.info(male).duration, abs=0.1)
    assert typed == 2
