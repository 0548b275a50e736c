"""Saved voices: names and files told apart, what is kept, and that it converts without the recordings."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import soundfile

from conftest import vox, vox_json
from voxrelay import Producer
from voxrelay.fleet import local
from voxrelay.producer import quality, saved
from voxrelay.producer.asked import read_voices, shares
from voxrelay.producer.pitch import Register, track
from voxrelay.producer.plan import plan_conversion
from voxrelay.producer.recording import survey
from voxrelay.producer.voice import Clip, TargetVoice, cut_recordings, survey_all
from voxrelay.relay import config as configuration
from voxrelay.relay import safetensors as files
from voxrelay.relay.config import Config
from voxrelay.relay.connect import client
from voxrelay.relay.errors import BadInputError, StageError
from voxrelay.relay.tensors import Voice

RATE = 16_000


@pytest.fixture(scope="module")
def voices(relay: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The relay, and a folder of voices of our own."""
    return {**relay, "VOXRELAY_VOICES": str(tmp_path_factory.mktemp("voices"))}


@pytest.fixture(scope="module")
def anna(voices: dict[str, str], stranger: Path) -> dict[str, Any]:
    """A saved voice."""
    return dict(vox_json("voice", "add", "anna", stranger, env=voices))


@pytest.fixture
def here(voices: dict[str, str], anna: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to work in, with that voice saved."""
    assert anna
    monkeypatch.setenv("VOXRELAY_VOICES", voices["VOXRELAY_VOICES"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def references(made: dict[str, Any]) -> list[tuple[int, str]]:
    return [(work["index"], work["stage"]) for work in made["stages"] if work["part"] == "reference"]


def connected(env: dict[str, str]) -> Config:
    """Return the configuration of the relay that runs, with its addresses."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        config = configuration.load()
        redis = local.running_redis(config)
    assert redis
    return config.model_copy(update={"redis": redis})


def forget_voices(env: dict[str, str]) -> None:
    """Remove from the relay's Redis what was prepared of any voice."""
    store = client(connected(env).redis.tensors or "")
    store.delete(*store.keys("vox:voice:*"))


def test_a_saved_voice_says_what_it_is(anna: dict[str, Any], voices: dict[str, str], stranger: Path) -> None:
    assert anna["seconds"] == pytest.approx(soundfile.info(stranger).duration, abs=0.01)
    assert 0.5 * anna["seconds"] < anna["speech"] <= anna["seconds"]
    assert 170 < anna["pitch"]["hertz"] < 220
    clips = math.ceil(anna["seconds"] / 5.12)
    assert anna["shapes"]["content"] == [clips, 256, 13]
    assert anna["shapes"]["mel"] == [clips, 441, 80]
    assert [row["name"] for row in vox_json("voice", "list", env=voices)["voices"]] == ["anna"]
    assert vox_json("voice", "show", "anna", env=voices) == anna
    shown = vox("voice", "show", "anna", env=voices)
    assert "Hz" in shown.stdout


def test_clips_are_prepared_once_without_a_conversion(voices: dict[str, str], female: Path) -> None:
    """A job without windows ends when its references are prepared, at once if they all are, and leaves no sound."""
    config = connected(voices)
    producer = Producer(config)
    clips = cut_recordings("f", survey_all([female], config), config, 1.0)
    target = TargetVoice(tuple(clips[:2]))
    first, second = (producer.prepare(target, ["speaker", "mel"]) for _ in range(2))
    assert [set(made) for made in first] == [{"speaker", "mel"}] * 2
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["mel"].data, other["mel"].data)
    job = vox_json("job", "list", "--most", "1", env=voices)["jobs"][0]
    assert (job["state"], job["windows"]) == ("collected", 0)
    assert vox_json("job", "show", job["job"], env=voices)["stages"] == []


def test_a_clip_that_cannot_be_prepared_is_explained(voices: dict[str, str], female: Path) -> None:
    config = connected(voices)
    [clip, *_] = cut_recordings("f", survey_all([female], config), config, 1.0)
    silent = clip.reference.model_copy(update={"digest": "0" * 32})
    with pytest.raises(StageError, match="silent reference"):
        Producer(config).prepare(TargetVoice((Clip(clip.samples * 0, silent),)), ["speaker"])


def test_its_file_is_open_to_other_readers(anna: dict[str, Any], voices: dict[str, str]) -> None:
    blob = (Path(voices["VOXRELAY_VOICES"]) / "anna.safetensors").read_bytes()
    arrays = safetensors.numpy.load(blob)
    assert {name: list(array.shape) for name, array in arrays.items()} == anna["shapes"]
    assert np.linalg.norm(arrays["embedding"]) == pytest.approx(1, abs=1e-5)
    assert arrays["sound"].tobytes().startswith(b"fLaC")


def test_it_converts_elsewhere_without_the_recordings(here: Path, voices: dict[str, str], male: Path) -> None:
    """Exported, and imported where no recording is, and Redis has forgotten all: nothing is prepared again either."""
    vox("voice", "export", "anna", here / "a.safetensors", env=voices)
    elsewhere = {**voices, "VOXRELAY_VOICES": str(here / "elsewhere")}
    vox("convert", male, "--voice", "anna", "-o", here / "o.wav", env=elsewhere, code=3)
    done = vox("voice", "import", here / "a.safetensors", "berta", env=elsewhere)
    assert "agreed" in done.stderr
    forget_voices(voices)
    made = vox_json("convert", male, "--voice", "berta", "-o", here / "o.wav", env=elsewhere)
    assert references(made) == []
    straight = vox_json("convert", male, "--voice", here / "a.safetensors", "-o", here / "p.wav", env=voices)
    assert references(straight) == []
    assert (here / "o.wav").read_bytes() == (here / "p.wav").read_bytes()
    vox("voice", "remove", "berta", env=elsewhere)
    assert vox_json("voice", "list", env=elsewhere)["voices"] == []


def test_another_content_model_prepares_it_again(here: Path, voices: dict[str, str], male: Path) -> None:
    arguments = ("convert", male, "--voice", "anna", "--content", "toy", "-o", here / "o.wav")
    made = vox_json(*arguments, env=voices)
    assert {stage for _, stage in references(made)} == {"speaker", "content", "mel"}
    others = [work for work in made["stages"] if work["part"] == "reference" and work["stage"] != "content"]
    assert all(work["cached"] for work in others)


def test_the_embedding_is_the_one_of_its_recordings(
    here: Path, voices: dict[str, str], anna: dict[str, Any], stranger: Path
) -> None:
    for name, voice in {"file": stranger, "saved": "anna"}.items():
        vox("stage", "speaker", voice, "-o", here / name, env=voices)
    file, kept = (Voice.from_bytes((here / name).read_bytes()).data for name in ("file", "saved"))
    assert file @ kept > 0.999
    own = files.read((Path(voices["VOXRELAY_VOICES"]) / "anna.safetensors").read_bytes())[0]["embedding"]
    np.testing.assert_allclose(own, kept, atol=1e-5)
    assert anna["shapes"]["embedding"] == [len(kept)]


def test_a_blend_lies_where_its_weights_put_it(here: Path, voices: dict[str, str], male: Path) -> None:
    for name, blend in {"one": ["anna:0.9", f"{male}:0.1"], "other": ["anna:0.1", f"{male}:0.9"]}.items():
        vox("stage", "speaker", *blend, "-o", here / name, env=voices)
    vox("stage", "speaker", "anna", "-o", here / "anna", env=voices)
    one, other, anna = (Voice.from_bytes((here / name).read_bytes()).data for name in ("one", "other", "anna"))
    assert one @ anna > 0.98 > other @ anna


@pytest.mark.usefixtures("here")
def test_what_no_longer_fits_is_left_out_of_the_job(male: Path) -> None:
    """A model with other options, another window: the sound is cut and prepared anew."""
    config = configuration.load({}).with_profile("plain")

    def prepared(changed: configuration.Config) -> set[str]:
        plan = plan_conversion(changed, male, "anna", {})
        assert plan.target.clips
        return {key.split(":")[-1].split(".")[0] for key in plan.prepared}

    assert prepared(config) == {"speaker", "content", "mel"}
    mfcc = config.stages["content"]["mfcc"].model_copy(update={"options": {"coefficients": 20}})
    stages = {**config.stages, "content": {**config.stages["content"], "mfcc": mfcc}}
    assert prepared(config.model_copy(update={"stages": stages})) == {"speaker", "mel"}
    window = config.window.model_copy(update={"seconds": 2.56})
    assert prepared(config.model_copy(update={"window": window})) == set()


def test_a_name_and_a_file_are_not_confused(here: Path, male: Path) -> None:
    config = configuration.load({})
    (here / "anna").write_bytes(male.read_bytes())
    with pytest.raises(BadInputError, match="saved voice, and there is a file"):
        read_voices(["anna"], config)
    own, file = (read_voices([name], config) for name in (str(saved.path("anna")), "./anna"))
    assert own.references[0].digest != file.references[0].digest
    (here / "anna").unlink()
    assert read_voices(["anna"], config).references == own.references
    with pytest.raises(BadInputError, match="saved: anna"):
        read_voices(["ann"], config)


@pytest.mark.usefixtures("here")
def test_names_that_could_be_something_else_are_refused(voices: dict[str, str], male: Path) -> None:
    for name in ("Anna", "a/b", "a.wav", "a:1", "-o"):
        with pytest.raises(BadInputError, match="cannot be the name"):
            saved.check_name(name)
    assert "of that name" in vox("voice", "add", "anna", male, env=voices, code=3).stderr
    assert "saved: anna" in vox("voice", "show", "ann", env=voices, code=3).stderr


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["anna", "ben"], [0.5, 0.5]),
        (["anna:3", "ben:1"], [0.75, 0.25]),
        (["a.wav:0.6", "x/y:0.4"], [0.6, 0.4]),
        (["anna"], [1.0]),
    ],
)
def test_weights_add_up(names: list[str], expected: list[float]) -> None:
    assert [asked.share for asked in shares(names)] == pytest.approx(expected)
    assert not any(":" in asked.name for asked in shares(names))


@pytest.mark.parametrize("names", [["anna:0"], ["anna:-1"], ["anna:nan"], ["anna:x"], ["anna:inf"], ["anna:1", "ben"]])
def test_weights_that_are_none_are_refused(names: list[str]) -> None:
    with pytest.raises(BadInputError, match="weight"):
        shares(names)


def test_a_file_whose_name_looks_weighted_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "take:2").touch()
    assert [asked.name for asked in shares([str(tmp_path / "take:2")])] == [str(tmp_path / "take:2")]


def damaged(blob: bytes) -> Iterator[bytes]:
    yield blob[:-1]
    yield b"\x80\x04K\x01."
    arrays, meta = files.read(blob)
    yield files.write({**arrays, "mel": arrays["mel"][:-1]}, meta)
    yield files.write({**arrays, "content": arrays["content"] * np.nan}, meta)
    yield files.write(arrays, {**meta, "facts": meta["facts"].replace('"speaker"', '"other"')})
    yield files.write({**arrays, "more": arrays["mel"]}, meta)
    yield files.write(arrays, {**meta, "wire": "0"})
    yield files.write(arrays, {**meta, "facts": meta["facts"].replace("anna", "../anna")})


@pytest.mark.usefixtures("here")
def test_frames_of_another_length_are_not_used() -> None:
    voice = saved.read(saved.path("anna"))
    whole, short = voice.arrays, {**voice.arrays, "mel": voice.arrays["mel"][:, :-1]}
    config = configuration.load({})
    made = [saved.SavedVoice(voice.facts, arrays).clips(config, 1.0) for arrays in (whole, short)]
    assert [bool(clips[0].prepared) for clips in made] == [True, False]


def test_foreign_and_damaged_files_are_refused(here: Path, voices: dict[str, str]) -> None:
    blob = saved.path("anna").read_bytes()
    for bad in damaged(blob):
        with pytest.raises(BadInputError):
            saved.SavedVoice.from_bytes(bad)
    (here / "bad.safetensors").write_bytes(blob[:-1])
    done = vox("voice", "import", here / "bad.safetensors", "ben", env=voices, code=3)
    assert "bad.safetensors" in done.stderr


def buzz(hertz: float, seconds: float) -> np.ndarray:
    """Make pulses with a falling spectrum, as a voice has them."""
    time = np.arange(round(RATE * seconds)) / RATE
    return sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 20)).astype(np.float32)


@pytest.mark.parametrize("hertz", [70, 110, 200, 300, 440])
def test_the_pitch_of_a_tone_is_found(hertz: float) -> None:
    found = Register.of(np.concatenate([buzz(hertz, 1), np.zeros(RATE, dtype=np.float32)]))
    assert found.hertz == pytest.approx(hertz, rel=0.01)
    assert found.spread < 0.01
    assert found.voiced == pytest.approx(0.5, abs=0.05)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert Register.of(noise).voiced < 0.1
    assert Register.of(np.zeros(RATE, dtype=np.float32)) == Register(median=0, spread=0, voiced=0)
    assert len(track(buzz(100, 1.0))) == 50


def test_noise_is_noticed(female: Path) -> None:
    sound = np.concatenate(list(survey(female, 0.3, 60).blocks()))
    noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    assert quality.clearness(sound) > quality.CLEAR_DB > quality.clearness(sound + 0.3 * sound.std() * noise)


def test_clipping_is_noticed(female: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(female, dtype="float32")
    soundfile.write(tmp_path / "clipped.wav", np.clip(4 * sound / np.abs(sound).max(), -1, 1), rate)
    clean, clipped = (quality.clipped_share(survey(path, 0.3, 60)) for path in (female, tmp_path / "clipped.wav"))
    assert clean < quality.CLIPPED / 2 < quality.CLIPPED * 2 < clipped


def test_what_is_wrong_with_a_voice_is_said(voices: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    made = vox_json("voice", "add", "both", male, female, env=voices)
    [note] = [note for note in made["notes"] if "two speakers" in note]
    assert "somebody else" in note
    sound, rate = soundfile.read(male)
    soundfile.write(tmp_path / "short.wav", sound[: 4 * rate], rate)
    made = vox_json("voice", "add", "short", tmp_path / "short.wav", env=voices)
    assert [note for note in made["notes"] if "of speech" in note]
    assert not [note for note in made["notes"] if "two speakers" in note]
    vox("voice", "remove", "both", "short", env=voices)
