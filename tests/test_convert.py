"""The whole way: four worker processes in four environments, a real Redis, a recording in and one out."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from conftest import vox, vox_json
from voxrelay import Producer
from voxrelay.relay import config as configuration
from voxrelay.relay.tensors import Audio, Content, Mel, Voice, read_any
from voxrelay.workers.runtime.loudness import follow, measure

MEL_HOP_SECONDS = 256 / 22_050
STAGES = ["speaker", "content", "mel", "vocoder"]


@pytest.fixture(scope="module")
def conversion(
    relay: dict[str, str], male: Path, stranger: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """One conversion, male to female, with everything kept."""
    folder = tmp_path_factory.mktemp("conversion")
    arguments = ("convert", male, "--voice", stranger, "-o", folder / "out.wav", "--keep-tensors", folder / "tensors")
    return {**vox_json(*arguments, env=relay), "folder": folder}


def test_the_result_is_sound_of_the_sources_length(conversion: dict[str, Any], male: Path) -> None:
    source, result = soundfile.info(male), soundfile.info(conversion["output"])
    assert abs(source.duration - result.duration) < MEL_HOP_SECONDS
    assert (result.samplerate, result.channels, result.subtype) == (22_050, 1, "PCM_16")
    before, after = (soundfile.read(path)[0] for path in (male, conversion["output"]))
    assert 0.3 < np.std(after) / np.std(before) < 3
    assert not [path for path in conversion["folder"].iterdir() if "partial" in path.name]


def test_every_window_and_stage_says_who_did_it(conversion: dict[str, Any], relay: dict[str, str]) -> None:
    shown = vox_json("job", "show", conversion["job"], env=relay)
    assert shown["state"] == "collected"
    windows = [work for work in shown["stages"] if work["part"] == "window"]
    assert [(work["index"], work["stage"]) for work in windows] == [(i, stage) for i in range(3) for stage in STAGES]
    for work in windows:
        assert work["host"]
        assert work["waited"] >= 0
        assert work["bytes_in"] > 0 or work["cached"]
        assert work["bytes_out"] > 0 or work["cached"]
    assert len({work["process"] for work in windows}) == 4
    assert {work["environment"] for work in windows} == set(STAGES)
    content = next(work for work in windows if work["stage"] == "content")
    assert content["bytes_in"] > 10_000  # FLAC
    assert "collected" in vox("job", "show", conversion["job"], env=relay).stdout


def test_what_passed_between_the_stages_is_there_to_see(conversion: dict[str, Any]) -> None:
    folder = conversion["folder"] / "tensors"
    window = {path.stem: read_any(path.read_bytes()) for path in (folder / "window-0001").iterdir()}
    kinds = {name: type(tensor) for name, tensor in window.items()}
    assert kinds == {"source": Audio, "speaker": Voice, "content": Content, "mel": Mel, "vocoder": Audio}
    assert len(window["source"].data) == 81_920
    assert len(window["content"].data) == 256
    assert window["mel"].data.shape == (441, 80)
    assert len(window["vocoder"].data) == 112_896
    assert abs(np.linalg.norm(window["speaker"].data) - 1) < 1e-5
    reference = {path.stem for path in (folder / "reference-0000").iterdir()}
    assert reference == {"source", "speaker", "content", "mel"}


def test_a_stage_can_be_replayed_from_what_was_kept(
    conversion: dict[str, Any], relay: dict[str, str], tmp_path: Path
) -> None:
    window = conversion["folder"] / "tensors" / "window-0001"
    vox("stage", "vocoder", window / "mel.safetensors", "-o", tmp_path / "again.safetensors", env=relay)
    again = Audio.from_bytes((tmp_path / "again.safetensors").read_bytes())
    source, sound = (Audio.from_bytes((window / f"{name}.safetensors").read_bytes()) for name in ("source", "vocoder"))
    # A mel alone has no source whose loudness it could follow; both sounds were rounded to 16 bits.
    np.testing.assert_allclose(follow(again, measure(source)).data, sound.data, atol=3e-4)


def test_a_voice_is_prepared_once(
    conversion: dict[str, Any], relay: dict[str, str], male: Path, stranger: Path
) -> None:
    assert [work for work in conversion["stages"] if work["part"] == "reference"]
    output = conversion["folder"] / "second.wav"
    again = vox_json("convert", male, "--voice", stranger, "-o", output, env=relay)
    assert not [work for work in again["stages"] if work["part"] == "reference"]
    assert output.read_bytes() == Path(conversion["output"]).read_bytes()


def test_two_voices_are_blended(relay: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    for name, voices in {"male": [male], "female": [female], "both": [male, female]}.items():
        vox("stage", "speaker", *voices, "-o", tmp_path / name, env=relay)
    one, other, both = (Voice.from_bytes((tmp_path / name).read_bytes()).data for name in ("male", "female", "both"))
    assert both @ one > other @ one
    assert both @ other > other @ one
    assert abs(np.linalg.norm(both) - 1) < 1e-5
    vox("convert", male, "--voice", male, "--voice", female, "-o", tmp_path / "blend.wav", env=relay)


def test_a_voice_may_be_a_folder_or_a_glob(relay: dict[str, str], female: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(female)
    for part in range(3):
        soundfile.write(tmp_path / f"{part}.flac", sound[part * 3 * rate : (part + 1) * 3 * rate], rate)
    (tmp_path / "notes.txt").write_text("not a recording")
    made = [
        vox_json("stage", "speaker", voice, "-o", tmp_path / "v.safetensors", env=relay)["seconds"]
        for voice in (tmp_path, f"{tmp_path}/*.flac")
    ]
    assert made[0] == made[1] > 5


def test_stages_one_by_one_and_the_lengths_of_content(
    relay: dict[str, str], male: Path, stranger: Path, tmp_path: Path
) -> None:
    """Also in a voice that is not prepared yet: what was handed in is still there when its turn comes."""
    sound, rate = soundfile.read(male)
    for seconds, frames in ((3, 150), (6, 300)):
        soundfile.write(tmp_path / "in.wav", sound[: seconds * rate], rate)
        made = vox_json("stage", "content", tmp_path / "in.wav", "-o", tmp_path / "c.safetensors", env=relay)
        assert made["shape"][0] == frames
    arguments = ("stage", "mel", tmp_path / "c.safetensors", "--voice", stranger, "-o", tmp_path / "m.safetensors")
    assert vox_json(*arguments, env=relay)["shape"] == [517, 80]
    vox("stage", "vocoder", tmp_path / "m.safetensors", "-o", tmp_path / "out.flac", env=relay)
    assert abs(soundfile.info(tmp_path / "out.flac").duration - 6) < MEL_HOP_SECONDS
    done = vox("stage", "vocoder", tmp_path / "c.safetensors", "-o", tmp_path / "x.wav", env=relay, code=3)
    assert "found Content" in done.stderr


def test_a_new_model_is_one_file_and_one_line(relay: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    made = vox_json("stage", "content", male, "--model", "toy", "-o", tmp_path / "c.safetensors", env=relay)
    assert made["shape"][1] == 1
    done = vox_json("convert", male, "--voice", female, "--content", "toy", "-o", tmp_path / "o.wav", env=relay)
    assert done["models"]["content"] == "toy"


@pytest.mark.parametrize(
    ("model", "environment"), [("contentvec", "content-transformers"), ("contentvec-fairseq", "content-fairseq")]
)
def test_each_backend_of_contentvec_runs_in_an_environment_of_its_own(
    model: str, environment: str, relay: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    done = vox_json("convert", male, "--voice", female, "--content", model, "-o", tmp_path / "o.wav", env=relay)
    assert {work["environment"] for work in done["stages"]} == {"speaker", environment, "mel", "vocoder"}
    sound, rate = soundfile.read(male)
    for seconds, frames in ((3, 150), (6, 300)):
        soundfile.write(tmp_path / "in.wav", sound[: seconds * rate], rate)
        arguments = ("stage", "content", tmp_path / "in.wav", "--model", model, "-o", tmp_path / "c.safetensors")
        assert vox_json(*arguments, env=relay)["shape"][0] == frames
    assert environment in {worker["pool"] for worker in vox_json("ps", env=relay)["workers"]}


def test_bigvgan_is_swapped_in_by_one_option(relay: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    arguments = ("convert", male, "--voice", female, "--vocoder", "bigvgan", "-o", tmp_path / "o.wav")
    done = vox_json(*arguments, "--keep-tensors", tmp_path / "kept", env=relay)
    assert done["models"]["vocoder"] == "bigvgan"
    assert abs(soundfile.info(tmp_path / "o.wav").duration - soundfile.info(male).duration) < MEL_HOP_SECONDS
    kept, again = tmp_path / "kept" / "window-0001", tmp_path / "again.safetensors"
    vox("stage", "vocoder", kept / "mel.safetensors", "--model", "bigvgan", "-o", again, env=relay)
    source, sound, replayed = (
        Audio.from_bytes(path.read_bytes())
        for path in (kept / "source.safetensors", kept / "vocoder.safetensors", again)
    )
    assert len(sound.data) == 112_896
    assert np.std(sound.data) > 0.01
    np.testing.assert_allclose(follow(replayed, measure(source)).data, sound.data, atol=3e-4)


def test_a_model_that_nobody_serves_is_refused_with_those_served(
    relay: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    arguments = ("convert", male, "--voice", female, "--vocoder", "hifigan", "-o", tmp_path / "o.wav")
    done = vox(*arguments, env=relay, code=5)
    assert "no worker serves vocoder.hifigan" in done.stderr
    assert "vocoder.bigvgan, vocoder.griffin-lim" in done.stderr


UNUSUAL = {
    "8 kHz": ({"rate": 8_000}, "no sound above 4 kHz"),
    "stereo": ({"channels": 2}, "2 channels were mixed to one"),
    "24 bit": ({"subtype": "PCM_24"}, "24 bit"),
    "one second": ({"seconds": 1}, "only 1.00 s"),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_an_unusual_source_is_converted_with_a_note(
    case: str, relay: dict[str, str], female: Path, tmp_path: Path
) -> None:
    changes, word = UNUSUAL[case]
    kind: dict[str, Any] = {"rate": 16_000, "channels": 1, "subtype": "PCM_16", "seconds": 3, **changes}
    sound, _rate = soundfile.read(female, frames=16_000 * kind["seconds"])
    sound = np.repeat(sound[:: 16_000 // kind["rate"], None], kind["channels"], axis=1)
    soundfile.write(tmp_path / "in.wav", sound, kind["rate"], kind["subtype"])
    done = vox("convert", tmp_path / "in.wav", "--voice", female, "-o", tmp_path / "out.wav", env=relay)
    assert word in done.stderr
    assert abs(soundfile.info(tmp_path / "out.wav").duration - kind["seconds"]) < MEL_HOP_SECONDS


def test_a_short_reference_is_used_with_a_note(relay: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(female, frames=16_000 * 2)
    soundfile.write(tmp_path / "short.wav", sound, rate)
    done = vox("convert", male, "--voice", tmp_path / "short.wav", "-o", tmp_path / "out.wav", env=relay)
    assert "only 2.00 s of reference" in done.stderr


def test_a_silent_source_stays_silent(relay: dict[str, str], female: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000), 16_000)
    vox("convert", tmp_path / "silence.wav", "--voice", female, "-o", tmp_path / "out.wav", env=relay)
    assert soundfile.info(tmp_path / "out.wav").frames == 44_100


def test_the_python_api(
    relay: dict[str, str], male: Path, female: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in relay.items():
        monkeypatch.setenv(name, value)
    steps = []
    done = Producer().convert(male, str(female), tmp_path / "out.flac", on_progress=steps.append)
    assert done.output.is_file()
    assert {(step.stage, step.done, step.total) for step in steps} >= {(stage, 3, 3) for stage in STAGES}
    assert done.models == configuration.load().chain()


def test_a_killed_worker_is_started_again(relay: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    import os
    import signal

    def mel_process() -> int | None:
        workers = vox_json("ps", env=relay)["workers"]
        return next((w["process"] for w in workers if w["pool"] == "mel" and w["state"] == "ready"), None)

    before = mel_process()
    assert before
    os.kill(before, signal.SIGKILL)
    for _ in range(60):
        if (mel_process() or before) != before:
            break
        time.sleep(0.5)
    assert mel_process() != before
    vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=relay)


def test_less_similarity_goes_less_far(
    relay: dict[str, str], male: Path, female: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in relay.items():
        monkeypatch.setenv(name, value)
    producer = Producer()
    for name, similarity in {"whole.wav": 1.0, "half.wav": 0.5}.items():
        producer.convert(male, str(female), tmp_path / name, similarity=similarity)
    source, whole, half = (producer.embed(str(p)).data for p in (male, tmp_path / "whole.wav", tmp_path / "half.wav"))
    assert half @ source > whole @ source
    options = ("--voice", female, "-o", tmp_path / "x.wav", "--similarity", "0")
    assert "above 0" in vox("convert", male, *options, env=relay, code=3).stderr


def test_a_profile_is_a_chain_of_models(
    relay: dict[str, str], male: Path, female: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in relay.items():
        monkeypatch.setenv(name, value)
    options = ("convert", male, "--voice", female, "-o", tmp_path / "out.wav", "--profile")
    for name in ("lite", "full"):
        done = vox_json(*options, name, env=relay)
        assert done["models"] == configuration.load().chain(name)
        with Producer().conversion(done["job"]) as found:
            record = found.session.ledger.summary(done["job"])
        voice = json.loads(record.get("survey:speaker.resemblyzer", "[]"))
        assert len(voice) == (256 if name == "lite" else 0), "gr0 asks whom a conversion leaves, the voice known or not"
    assert "there are full, lite" in vox(*options, "none", env=relay, code=4).stderr
