"""What an output says of itself."""

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import VOX, vox, vox_json
from voxrelay.producer import provenance
from voxrelay.producer.output import WRITABLE, encode, write_tensor
from voxrelay.producer.provenance import Provenance
from voxrelay.relay.errors import BadInputError, VoxError
from voxrelay.relay.tensors import Audio

MODELS = {"speaker": "resemblyzer", "content": "contentvec-lite", "mel": "gr0", "vocoder": "hifigan-lite"}
MADE = Provenance("0.1.0", "2025-01-31", MODELS)


@pytest.mark.parametrize("suffix", WRITABLE)
def test_every_format_keeps_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    encode(path, tmp_path / "partial", [np.zeros(22_050, np.int16)], MADE)
    assert provenance.read(path) == MADE
    assert soundfile.info(path).frames == 22_050


def test_sound_of_a_stage_says_it_too(tmp_path: Path) -> None:
    write_tensor(tmp_path / "out.wav", Audio(np.zeros(100, np.float32), rate=22_050))
    assert provenance.read(tmp_path / "out.wav").version == version("voxrelay")


@pytest.mark.parametrize(
    "comment", ["somebody's comment", str(MADE) + "; rm -rf", "x" * 100_000, f"{MADE}\n{MADE}", "\x1b[31mred"]
)
def test_other_files_say_nothing_of_voxrelay(comment: str, tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "other.flac", "w", 22_050, 1) as file:
        file.comment = comment
        file.write(np.zeros(100, np.int16))
    with pytest.raises(VoxError, match="no voxrelay metadata"):
        provenance.read(tmp_path / "other.flac")


def test_what_is_no_sound_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is not sound")
    for path in (tmp_path / "text.wav", tmp_path / "nowhere.wav", tmp_path):
        with pytest.raises(BadInputError, match="is not a sound file"):
            provenance.read(path)


def test_a_conversion_is_labelled_in_a_file_and_in_a_pipe(
    relay: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    done = vox_json("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=relay)
    day = done["job"][:8]
    wanted = {"version": version("voxrelay"), "date": f"{day[:4]}-{day[4:6]}-{day[6:]}", "models": done["models"]}
    assert vox_json("info", tmp_path / "out.wav") == {"file": str(tmp_path / "out.wav"), "converted": True, **wanted}
    assert "Converted speech: voxrelay" in vox("info", tmp_path / "out.wav").stdout
    assert "no voxrelay metadata" in vox("info", male, code=1).stderr
    assert json.loads(vox("info", male, "--json", code=1).stdout)["error"]["exit_code"] == 1
    with (tmp_path / "pipe.wav").open("wb") as pipe:
        command = [VOX, "convert", male, "--voice", female, "-o", "-"]
        subprocess.run(command, env={**os.environ, **relay}, stdout=pipe, check=True)
    assert vox_json("info", tmp_path / "pipe.wav")["models"] == done["models"]
