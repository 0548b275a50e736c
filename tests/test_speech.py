"""Real recordings: converted speech is nearer to the target than to the source, and its controls are not."""

from pathlib import Path

from conftest import vox, vox_json

PIPELINE = "mfcc+retrieval+griffin-lim"


def test_converted_sentences_have_the_targets_voice(shared: Path, tmp_path: Path) -> None:
    env = {"VOXRELAY_MODELS": str(shared.resolve() / "weights"), "VOXRELAY_JUDGES": str(shared.resolve() / "scoring")}
    options = ("--split", "dev", "--pairs", "4", "--pipeline", PIPELINE, "-o", tmp_path / "report")
    rows = vox_json("evaluate", shared / "speech" / "metadata.csv", *options, env=env)["rows"]
    vox("down", env=env)
    converted, shuffled = rows[PIPELINE], rows[f"{PIPELINE}, shuffled voice"]
    unconverted, truth = rows["source, unconverted"], rows["target's other recordings"]
    for judge in ("secs", "encoder"):
        assert converted[f"{judge}_nearer"]["value"] >= 3 / 4
        assert unconverted[f"{judge}_nearer"]["value"] == 0
        assert converted[f"{judge}_target"]["value"] > shuffled[f"{judge}_target"]["value"] + 0.1
        assert truth[f"{judge}_target"]["value"] > converted[f"{judge}_target"]["value"]
    assert converted["ovr"]["value"] < rows["copy synthesis, griffin-lim"]["ovr"]["value"] < unconverted["ovr"]["value"]
    assert rows["round trip"]["cer"]["value"] < converted["cer"]["value"]
