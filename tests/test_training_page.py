"""docs/guides/train.md, typed as it stands, but for the steps: one of each instead of days."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_documents import table

import documents
from conftest import ROOT, VOX

PAGE = ROOT / "docs" / "guides" / "train.md"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_recordings_of_ones_own_become_weights(male: Path, female: Path, tmp_path: Path) -> None:
    rows = []
    for clip in (male, female):
        sound, rate = soundfile.read(clip)
        for pitch in (95, 100, 105):  # three voices of one
            speaker = f"{clip.stem}{pitch}"
            (tmp_path / "recordings" / speaker).mkdir(parents=True)
            played = np.interp(np.arange(0, len(sound), pitch / 100), np.arange(len(sound)), sound)
            for index in range(2):
                path = f"{speaker}/{index}.wav"
                soundfile.write(tmp_path / "recordings" / path, played[3 * index * rate : 3 * (index + 1) * rate], rate)
                rows.append({"path": path, "speaker": speaker, "split": "train", "text": "hello there"})
    table(tmp_path / "recordings" / "metadata.csv", rows)
    typed = [command.text for command in documents.commands(PAGE) if command.text.startswith("vox train")]
    for text in typed:
        words = text.split()[1:]
        short = [] if "export" in words else ["--until", "1"]
        done = subprocess.run([VOX, *words, *short], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    for name in ("content.safetensors", "gr0.safetensors", "vocoder.pt"):
        assert (tmp_path / name).is_file()
        assert (tmp_path / name).with_suffix(".md").is_file()
