"""``vox train``: in its own environment, as a user calls it."""

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from safetensors import safe_open
from safetensors.numpy import load_file

from conftest import ROOT, own_home
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

STEP = {"steps": 2, "learning_rate": 0.001, "batch": 2, "crop": 32}
ACOUSTIC = {
    "shape": {"channels": 8, "blocks": 1, "kernel": 3, "expansion": 1, "condition": 4},
    "phases": [
        {"name": "rebuild", **STEP, "weights": {"mel": 1}},
        {"name": "convert", **STEP, "weights": {"mel": 1, "voice": 1, "content": 1}, "convert": True},
    ],
    "virtual": {"share": 0},
    "held_back": {"toy": 1},
    "log_every": 1,
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


def vox(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **variables}
    return subprocess.run([str(VOX), *map(str, arguments)], env=env, capture_output=True, text=True, check=False)


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


@pytest.fixture
def ours(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Variables of a configuration that serves acoustic weights of our own, beside a narrow ContentVec."""
    queues = yaml.safe_load(Path(settings["VOXRELAY_CONFIG"]).read_text())
    del queues["stages"]["content"]["toy"]
    queues["stages"]["mel"]["ours"] = {
        "pool": "mel",
        "kind": "gr0",
        "options": {"weights": str(tmp_path / "ours.safetensors")},
    }
    (tmp_path / "queues.yml").write_text(yaml.safe_dump(queues))
    return {**settings, **own_home(tmp_path), "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}


def test_an_acoustic_model_learns_from_contentvec_and_takes_no_other_content(
    data: Path, ours: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    (tmp_path / "acoustic.yml").write_text(yaml.safe_dump(ACOUSTIC))
    run = ("--data", data, "--content", "contentvec", "--out", tmp_path / "run")
    done = vox("train", "mel", *run, "--config", tmp_path / "acoustic.yml", "--json", **ours)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["losses"].keys() >= {"mel", "voice", "content"}
    done = vox("train", "export", "mel", *run, "--to", tmp_path / "ours.safetensors", **ours)
    assert done.returncode == 0, done.stderr
    with safe_open(tmp_path / "ours.safetensors", "numpy") as file:
        facts = file.metadata()
    assert (facts["model"], facts["content"], facts["features"]) == ("gr0", "contentvec", "48")
    card = (tmp_path / "ours.md").read_text()
    assert "content of `contentvec`" in card
    assert "--content contentvec" in card

    convert = ("convert", male, "--voice", female, "--mel", "ours", "-o", tmp_path / "out.wav")
    try:
        done = vox(*convert, "--content", "contentvec", "--json", **ours)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["models"]["content"] == "contentvec"
        assert soundfile.info(tmp_path / "out.wav").duration == pytest.approx(soundfile.info(male).duration, abs=0.02)
        done = vox(*convert, "--content", "mfcc", **ours)
    finally:
        vox("down", **ours)
    assert done.returncode not in (0, 130)
    assert "these weights were trained on contentvec with 48: --content contentvec" in done.stderr
    assert "Traceback" not in done.stderr


def test_content_that_cannot_be_had_is_told(data: Path, settings: dict[str, str], tmp_path: Path) -> None:
    train = ("train", "mel", "--data", data, "--out", tmp_path / "run", "--content")
    assert "no content model 'none'" in vox(*train, "none", **settings).stderr
    nothing = {**settings, "VOXRELAY_MODELS": str(tmp_path)}
    done = vox(*train, "contentvec", **nothing)
    assert "no weight file 'contentvec.safetensors'" in done.stderr
    assert "Traceback" not in done.stderr
