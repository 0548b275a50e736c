"""``vox check``: recordings through the real pools to figures, pictures and pages."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import vox, vox_json
from voxrelay.relay import safetensors

PARTS = 4


@pytest.fixture(scope="module")
def speakers(male: Path, female: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two speakers with four recordings each."""
    folder = tmp_path_factory.mktemp("speakers")
    for clip in (male, female):
        sound, rate = soundfile.read(clip)
        (folder / clip.stem).mkdir()
        for part, piece in enumerate(np.array_split(sound, PARTS)):
            soundfile.write(folder / clip.stem / f"part{part}.flac", piece, rate)
    return folder


def test_speakers_are_told_apart(relay: dict[str, str], speakers: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{path},{path.parent.name},{'FM'[path.parent.name == 'male']},mine" for path in speakers.rglob("*.flac")]
    bad = [f"{tmp_path}/nowhere.flac,male,M,mine", f"{tmp_path}/nobody.flac,male,M,other"]
    table.write_text("\n".join(["path,speaker,sex,split", *rows, *bad]))
    out = tmp_path / "out"
    done = vox("check", "speakers", table, "--split", "mine", "-o", out, env=relay)
    assert "nowhere.flac" in done.stderr
    assert "purity" in done.stdout
    found = vox_json("check", "speakers", speakers, "-o", tmp_path / "again", env=relay)
    assert (found["speakers"], found["utterances"]) == (2, 2 * PARTS)
    assert found["purity"] == found["ari"] == 1.0
    assert found["eer"] == 0.0
    assert set(found) >= {"purity", "ari", "silhouette", "eer", "threshold"}
    arrays, _ = safetensors.read((out / "embeddings.safetensors").read_bytes())
    assert arrays["embeddings"].shape == (2 * PARTS, 256)
    assert {path.suffix for path in out.iterdir()} == {".png", ".html", ".csv", ".safetensors", ""}
    assert "not an empty folder" in vox("check", "speakers", speakers, "-o", out, env=relay, code=3).stderr


def test_content_frames_keep_time(relay: dict[str, str], speakers: Path, tmp_path: Path) -> None:
    files = sorted(speakers.rglob("*.flac"))
    found = vox_json("check", "content", *files, "-o", tmp_path / "out", env=relay)
    assert found["model"] == "mfcc"
    assert found["exact"]
    assert found["frames_of_seconds"] == {"3": 150, "6": 300}
    assert found["recordings"] == 2 * PARTS
    arrays, _ = safetensors.read((tmp_path / "out" / "frames.safetensors").read_bytes())
    frames = sum(round(soundfile.info(path).duration * 16_000) // 320 for path in files)
    assert arrays["content"].shape == (frames, 13)
    assert arrays["mel"].shape == (frames, 80)
    # The control is of the same moments: its loudness goes with the level, which is the first coefficient.
    assert np.corrcoef(arrays["content"][:, 0], arrays["mel"].mean(axis=1))[0, 1] > 0.9
    toy = vox_json("check", "content", speakers / "male", "--model", "toy", "-o", tmp_path / "toy", env=relay)
    assert toy["model"] == "toy"
    assert len(toy["skipped"]) == 2


def test_ten_speakers_that_nothing_was_trained_on(relay: dict[str, str], shared: Path, tmp_path: Path) -> None:
    folders = sorted((shared / "speech" / "dev" / "librispeech").iterdir())
    for folder in folders:
        (tmp_path / "in" / folder.name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:3]:
            (tmp_path / "in" / folder.name / path.name).symlink_to(path)
    found = vox_json("check", "speakers", tmp_path / "in", "-o", tmp_path / "out", env=relay)
    assert found["speakers"] == len(folders) == 10
    assert found["purity"] >= 0.98
    assert found["eer"] <= 0.05
