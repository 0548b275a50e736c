"""The study of embeddings: planted speakers are found, planted doubtful utterances named."""

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from voxrelay.checks.speakers import __main__ as program
from voxrelay.checks.speakers.clusters import agglomerate, contingency, verify
from voxrelay.checks.speakers.study import Study
from voxrelay.relay import safetensors

SPEAKERS, EACH = 4, 12


def embeddings(noise: float) -> np.ndarray:
    """Make utterances of speakers at right angles, float32 [utterances, 16] of unit norm."""
    made = np.repeat(np.eye(SPEAKERS, 16), EACH, axis=0)
    made += noise * np.random.default_rng(0).standard_normal(made.shape)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def study(made: np.ndarray, folder: Path | None = None) -> Study:
    names = [f"speaker{index // EACH}" for index in range(len(made))]
    files = [str((folder or Path()) / f"{index}.wav") for index in range(len(made))]
    return Study(made, files, names, ["F" if name < "speaker2" else "M" for name in names])


def test_clear_speakers_are_told_apart() -> None:
    clear = study(embeddings(0.05))
    for found in (clear.agglomerative, clear.k_means):
        assert found.purity == 1.0
        assert found.ari == 1.0
        assert found.silhouette > 0.9
    assert clear.verification.eer == 0.0
    assert 0.1 < clear.verification.threshold < 0.99


def test_noise_is_not_told_apart() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 16))
    speakers = np.arange(200) % 4
    unit = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    assert verify(unit, speakers).eer == pytest.approx(0.5, abs=0.03)
    assert abs(agglomerate(unit, speakers).ari) < 0.05


def test_two_speakers_in_one_cluster_lower_purity() -> None:
    made = embeddings(0.05)
    made[EACH : 2 * EACH] = made[:EACH]
    found = study(made)
    assert found.agglomerative.purity == pytest.approx(0.75, abs=0.01)
    counts = contingency(found.agglomerative, found.speakers)
    assert counts.sum() == len(made)
    assert (counts[0] == counts[1]).all()


def test_a_doubtful_utterance_is_named_first() -> None:
    made = embeddings(0.05)
    made[3] = (0.45 * made[0] + 0.55 * made[30]) / np.linalg.norm(0.45 * made[0] + 0.55 * made[30])
    found = study(made)
    assert found.boundary[0] == 3
    assert found.known[found.placement.nearest[3]] == "speaker2"
    assert found.placement.margin[3] < 0 < found.placement.margin[found.extremes].min()
    assert [index // EACH for index in found.extremes] == list(range(SPEAKERS))
    assert 3 not in found.extremes


def test_everything_is_drawn_written_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = embeddings(0.3)
    found = study(made, tmp_path)
    for file in found.files:
        Path(file).write_bytes(b"sound")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "embeddings.safetensors").write_bytes(safetensors.write({"embeddings": made}, {}))
    rows = zip(found.files, found.names, found.sexes, strict=True)
    given = json.dumps([{"path": path, "speaker": name, "sex": sex} for path, name, sex in rows])
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    program.main(folder)
    printed = json.loads(capsys.readouterr().out)
    assert printed["purity"] > 0.9
    page = (folder / "index.html").read_text()
    for name in ("map", "similarity", "pairs", "clusters"):
        assert imread(folder / f"{name}.png").shape[1] > 1000
        assert f'src="{name}.png"' in page
    heard = sorted(path.name for path in (folder / "listen").iterdir())
    assert len(heard) == len({case["path"] for kind in ("extreme", "boundary") for case in printed[kind]})
    assert all(f'src="listen/{name}"' in page for name in heard)
    table = list(csv.DictReader((folder / "utterances.csv").open()))
    assert len(table) == len(made)
    assert sum(row["mark"] == "boundary" for row in table) == len(printed["boundary"])
