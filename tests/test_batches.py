"""Pools that batch: windows are computed together, and not a byte differs."""

from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
import yaml

from conftest import vox_json


def test_windows_are_computed_together_and_sound_the_same(
    relay: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    sound, rate = soundfile.read(male)
    soundfile.write(tmp_path / "in.wav", np.tile(sound, 3), rate)
    config = yaml.safe_load(Path(relay["VOXRELAY_CONFIG"]).read_text())
    config["stages"]["content"].pop("toy")  # its file lies elsewhere
    for pool in config["pools"].values():
        pool["batch"] = 4
    (tmp_path / "queues.yml").write_text(yaml.safe_dump(config))
    arguments = ("convert", tmp_path / "in.wav", "--voice", female, "-o")
    vox_json(*arguments, tmp_path / "single.wav", env=relay)
    env = {**relay, "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}
    batched = vox_json(*arguments, tmp_path / "batched.wav", "--cold", env=env)
    assert (tmp_path / "batched.wav").read_bytes() == (tmp_path / "single.wav").read_bytes()
    # The last stage is the slow one, so that windows gather before it.
    moments = Counter(work["times"]["started"] for work in batched["stages"] if work["stage"] == "vocoder")
    assert 1 < max(moments.values()) <= 4
