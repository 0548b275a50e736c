"""Every model that ``queues.yml`` has is swapped in by one option, in one relay."""

import shutil
from pathlib import Path

import pytest
import soundfile
import yaml

from conftest import ROOT, own_home, run_in, vox, vox_json

GENERATORS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import second
for name, config in {
    "hifigan_v3_ljspeech.pt": second.PUBLISHED["v3"],
    "hifigan-universal.safetensors": second.SMALL,
    "bigvgan-base.safetensors": second.PERIODIC,
}.items():
    file = Path(sys.argv[1], name)
    second.write(file, config, second.draw(config))
    file.with_name("config.json").rename(file.with_suffix(".json"))
"""


@pytest.mark.slow
def test_every_model_is_swapped_in_by_one_option(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    """Weights are random but for our own; models of the mel stage are given the content that they were trained on."""
    models = tmp_path / "models"
    shutil.copytree(settings["VOXRELAY_MODELS"], models)
    run_in("vocoder", "-c", GENERATORS, str(models), str(ROOT / "tests" / "pools" / "vocoder"))
    queues = yaml.safe_load((ROOT / "queues.yml").read_text())
    (tmp_path / "queues.yml").write_text(yaml.safe_dump(queues))
    env = {**own_home(tmp_path), "VOXRELAY_MODELS": str(models), "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}
    sound, rate = soundfile.read(male, frames=3 * 16_000)
    soundfile.write(tmp_path / "in.wav", sound, rate)
    vox("up", *queues["pools"], env=env)
    try:
        for stage, profile in {"content": "plain", "mel": "lite", "vocoder": "plain"}.items():
            for model in queues["stages"][stage]:
                options = ("--profile", profile, f"--{stage}", model, "-o", tmp_path / f"{model}.wav")
                done = vox_json("convert", tmp_path / "in.wav", "--voice", female, *options, env=env)
                assert done["models"] == {**queues["profiles"][profile], stage: model}
                assert soundfile.info(tmp_path / f"{model}.wav").duration == pytest.approx(3, abs=0.02)
    finally:
        vox("down", env=env)
