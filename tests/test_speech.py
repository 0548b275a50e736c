"""Real recordings: converted speech is nearer to the target than to the source, and its controls are not."""

from pathlib import Path

from conftest import vox, vox_json

PIPELINES = ("mfcc+retrieval+griffin-lim", "mfcc+retrieval+hifigan")


def test_converted_sentences_have_the_targets_voice(shared: Path, tmp_path: Path) -> None:
    env = {"VOXRELAY_MODELS": str(shared.resolve() / "weights"), "VOXRELAY_JUDGES": str(shared.resolve() / "scoring")}
    named = [option for pipeline in PIPELINES for option in ("--pipeline", pipeline)]
    options = ("--split", "dev", "--pairs", "6", *named, "-o", tmp_path / "report")
    rows = vox_json("evaluate", shared / "speech" / "metadata.csv", *options, env=env)["rows"]
    vox("down", env=env)
    for pipeline in PIPELINES:
        mine, shuffled = rows[pipeline], rows[f"{pipeline}, shuffled voice"]
        for judge in ("secs", "encoder"):
            assert mine[f"{judge}_nearer"]["value"] >= 5 / 6
            assert mine[f"{judge}_target"]["value"] > shuffled[f"{judge}_target"]["value"] + 0.1
    unconverted = rows["source, unconverted"]
    assert unconverted["secs_nearer"]["value"] == unconverted["encoder_nearer"]["value"] == 0
    truth = rows["target's other recordings"]
    assert truth["secs_target"]["value"] > unconverted["secs_target"]["value"] + 0.2
    assert truth["ovr"]["value"] > rows[PIPELINES[0]]["ovr"]["value"]
