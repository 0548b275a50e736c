"""Real recordings: converted speech is nearer to the target than to the source."""

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, vox


def test_converted_sentences_have_the_targets_voice(shared: Path) -> None:
    env = {**os.environ, "VOXRELAY_SHARED": str(shared)}
    command = [sys.executable, str(ROOT / "benchmarks" / "arctic.py"), "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    vox("down", env={"VOXRELAY_MODELS": str(shared.resolve() / "weights")})
    scores = json.loads(done.stdout)
    for vocoder in ("griffin-lim", "hifigan"):
        mine = [score for score in scores if score["vocoder"] == vocoder]
        assert len(mine) == 20
        assert sum(score["target"] > score["source"] for score in mine) >= 18
    unconverted = [score for score in scores if score["vocoder"] == "source"]
    assert not any(score["target"] > score["source"] for score in unconverted)
