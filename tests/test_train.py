"""``vox train``: in its own environment, as a user calls it."""

import csv
import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from safetensors.numpy import load_file

from conftest import ROOT
from voxrelay.fleet import environments
from voxrelay.relay import config as configuration

VOX = ROOT / ".venv" / "bin" / "vox"
CONFIG = {
    "shape": {"features": 4, "channels": 8, "blocks": 1, "kernel": 3, "expansion": 1},
    "phases": [{"name": "spread", "steps": 100_000, "learning_rate": 0.001, "frames": 100, "uniform": True}],
    "held_back": {"toy": 1},
    "log_every": 1,
    "validate_every": 100_000,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write five speakers who buzz, and say that it is words."""
    environments.ensure(configuration.load(), ["training"], lambda _line: None)
    time = np.arange(16_000) / 16_000
    rows = []
    for i in range(5):
        sound = sum(np.sin(2 * np.pi * k * (100 + 20 * i) * time) / k for k in range(1, 9)) * 0.1
        soundfile.write(tmp_path / f"{i}.wav", sound * np.hanning(len(time)), 16_000)
        rows.append((f"{i}.wav", "train", "toy", f"s{i}", "FM"[i % 2], 1.0, "CC0-1.0", "hello"))
    with (tmp_path / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        columns = ("path", "split", "corpus", "speaker", "sex", "seconds", "licence", "text")
        csv.writer(file).writerows([columns, *rows])
    (tmp_path / "tiny.yml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path / "metadata.csv"


def vox(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(VOX), *map(str, arguments)], capture_output=True, text=True, check=False)


def test_a_user_trains_interrupts_resumes_and_exports(data: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "run", tmp_path / "tiny.yml"
    begin = ["train", "content", "--data", str(data), "--config", str(config), "--out", str(out)]
    program = subprocess.Popen([str(VOX), *begin], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert program.stderr
    for line in program.stderr:
        if "step 3 of" in line:
            break
    program.send_signal(signal.SIGINT)
    assert "interrupted" in program.communicate()[1]
    assert program.returncode == 130

    steps = 3 + max(json.loads(line)["step"] for line in (out / "curve.jsonl").read_text().splitlines())
    done = vox(*begin, "--resume", "--until", steps, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step"] == steps

    weights = tmp_path / "toy.safetensors"
    done = vox("train", "export", "content", "--data", data, "--out", out, "--to", weights)
    assert done.returncode == 0, done.stderr
    assert load_file(weights)["neck.weight"].dtype == np.float16
    assert f"{steps} steps of training" in weights.with_suffix(".md").read_text()


def test_what_was_wrong_is_said_once(data: Path, tmp_path: Path) -> None:
    done = vox(
        "train", "content", "--data", data, "--config", tmp_path / "tiny.yml", "--out", tmp_path / "run", "--resume"
    )
    assert done.returncode != 0
    assert "no checkpoint" in done.stderr
    assert "Traceback" not in done.stderr
