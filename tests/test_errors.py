"""Bad input: what the user is told, and the exit code. None of it reaches a worker."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import ROOT, vox, vox_json

GOOD = ROOT / "examples" / "male.ogg"


def write(path: Path, samples: np.ndarray, rate: int = 16_000, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples.astype(np.float32), rate, subtype)
    return path


def noise(seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(round(16_000 * seconds))


def text(folder: Path) -> Path:
    (folder / "text.wav").write_text("this is not sound")
    return folder / "text.wav"


def empty(folder: Path) -> Path:
    (folder / "empty.wav").touch()
    return folder / "empty.wav"


def not_a_number(folder: Path) -> Path:
    samples = noise(2)
    samples[100] = np.nan
    return write(folder / "nan.wav", samples)


SOURCES = {
    "not audio": (text, ["text.wav", "is not audio", "wav, flac"]),
    "empty file": (empty, ["empty.wav", "is an empty file"]),
    "no samples": (lambda f: write(f / "none.wav", noise(0)), ["none.wav", "holds no samples"]),
    "not finite": (not_a_number, ["nan.wav", "not finite"]),
    "too short": (lambda f: write(f / "short.wav", noise(0.29)), ["short.wav", "0.29 s is too short", "0.3 s"]),
    "too long": (lambda f: write(f / "long.wav", noise(41)), ["long.wav", "41.0 s is too long", "40 s", "queues.yml"]),
    "missing": (lambda f: f / "nowhere.wav", ["nowhere.wav", "no such file"]),
    "a folder": (lambda f: f, ["is a folder"]),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_bad_source_is_explained(case: str, tmp_path: Path, settings: dict[str, str]) -> None:
    make, words = SOURCES[case]
    done = vox("convert", make(tmp_path), "--voice", GOOD, "-o", tmp_path / "out.wav", env=settings, code=3)
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.wav").exists()


VOICES = {
    "silent": (lambda f: write(f / "silent.wav", noise(5) * 0), ["silent.wav", "reference is silent"]),
    "missing": (lambda f: f / "nobody.wav", ["nobody.wav", "no such file, folder or match"]),
    "no recordings": (lambda f: f, ["no recordings in this folder"]),
    "not audio": (text, ["text.wav", "is not audio"]),
    "too short": (lambda f: write(f / "blip.wav", noise(0.2)), ["blip.wav", "too short"]),
}


@pytest.mark.parametrize("case", VOICES)
def test_a_bad_voice_is_explained(case: str, tmp_path: Path, settings: dict[str, str]) -> None:
    make, words = VOICES[case]
    done = vox("convert", GOOD, "--voice", make(tmp_path), "-o", tmp_path / "out.wav", env=settings, code=3)
    for word in words:
        assert word in done.stderr


def test_an_output_that_cannot_be_written_is_refused_first(tmp_path: Path, settings: dict[str, str]) -> None:
    for output, word in {"out.xyz": "one of .wav, .flac", "nowhere/out.wav": "no such folder"}.items():
        done = vox("convert", GOOD, "--voice", GOOD, "-o", tmp_path / output, env=settings, code=3)
        assert word in done.stderr


def test_an_unknown_model_is_refused_with_the_known_ones(tmp_path: Path, settings: dict[str, str]) -> None:
    arguments = ("convert", GOOD, "--voice", GOOD, "-o", tmp_path / "out.wav", "--mel", "magic")
    done = vox(*arguments, env=settings, code=4)
    assert "no mel model 'magic'" in done.stderr
    assert "retrieval" in done.stderr


def test_no_redis_is_explained(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/nobody.sock"
    done = vox("convert", GOOD, "--voice", GOOD, "-o", tmp_path / "out.wav", env={"REDIS_URL": url}, code=5)
    assert "no Redis answers" in done.stderr
    assert "unset REDIS_URL" in done.stderr


def test_a_relay_without_workers_is_explained(tmp_path: Path, redis_server: str) -> None:
    done = vox("convert", GOOD, "--voice", GOOD, "-o", tmp_path / "out.wav", env={"REDIS_URL": redis_server}, code=5)
    assert "no worker of pool content, mel, speaker, vocoder" in done.stderr
    assert "vox up content mel speaker vocoder" in done.stderr


def test_errors_are_json_when_asked(tmp_path: Path, settings: dict[str, str]) -> None:
    import json

    arguments = ("convert", tmp_path / "no.wav", "--voice", GOOD, "-o", tmp_path / "o.wav", "--json")
    error = json.loads(vox(*arguments, env=settings, code=3).stdout)["error"]
    assert error["exit_code"] == 3
    assert error["hint"] == "check the path"


def test_a_usage_error_has_its_own_code() -> None:
    assert "Missing argument" in vox("convert", code=2).stderr


def test_json_is_json_everywhere(settings: dict[str, str]) -> None:
    assert "environments" in vox_json("env", "list", env=settings)
    assert vox_json("ps", env={**settings, "VOXRELAY_MODELS": "/nowhere"}) is not None
    assert vox_json("doctor", env=settings)["ok"] is True
