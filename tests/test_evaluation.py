"""``vox evaluate`` and ``vox check voices``: who is paired with whom, what is refused, and the whole way."""

import csv
import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from conftest import vox, vox_json
from voxrelay.evaluation.grid import combine
from voxrelay.evaluation.pairs import Pair, draw
from voxrelay.evaluation.pipeline import Pipeline
from voxrelay.evaluation.request import claim
from voxrelay.evaluation.rows import shuffle
from voxrelay.evaluation.sounds import joined
from voxrelay.relay import clock
from voxrelay.relay import config as configuration
from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadConfigError, BadInputError

PIPELINE = "mfcc+retrieval+griffin-lim"
CLIPS = 4


def recordings(corpora: str = "ab", seconds: float = 3.0) -> list[Utterance]:
    """Two men and two women a corpus, eight recordings each."""
    people = itertools.product(corpora, ("M1", "M2", "F1", "F2"), range(8))
    return [
        Utterance(Path(f"{place}/{name}/{place}{i}.wav"), f"{place}{name}", place, sex=name[0], seconds=seconds)
        for place, name, i in people
    ]


def test_pairs_are_drawn_evenly_and_the_same_seed_draws_the_same() -> None:
    pairs = draw(recordings(), 48, seed=1, seconds=5)
    assert pairs == draw(recordings(), 48, seed=1, seconds=5)
    assert pairs != draw(recordings(), 48, seed=2, seconds=5)
    assert Counter(pair.group for pair in pairs) == {"male to female": 16, "female to male": 16, "same sex": 16}
    couples = Counter((pair.source.speaker, *pair.target) for pair in pairs if pair.group == "male to female")
    assert set(couples.values()) == {2}, "each of the 8 couples as often"
    for pair in pairs:
        sexes = pair.source.sex + pair.reference[0].sex
        assert {"male to female": "MF", "female to male": "FM"}.get(pair.group, sexes[0] * 2) == sexes


def test_nothing_of_a_pair_is_in_two_roles() -> None:
    for pair in draw(recordings(), 30, seed=0, seconds=5):
        heard = [pair.source.path, *(one.path for one in (*pair.reference, *pair.others))]
        assert len(set(heard)) == len(heard)
        assert len({one.speaker for one in (*pair.reference, *pair.others)}) == 1
        assert pair.source.corpus != pair.target[0]
        assert sum(one.seconds for one in pair.reference) == 6, "short ones are joined"


def test_within_one_corpus_the_target_is_not_heard_saying_the_sentence() -> None:
    for pair in draw(recordings("a"), 30, seed=0, seconds=5):
        assert pair.source.path.stem not in {one.path.stem for one in (*pair.reference, *pair.others)}


def test_short_utterances_are_no_sources() -> None:
    some = [*recordings(seconds=1.0), *recordings(seconds=4.0)]
    assert {pair.source.seconds for pair in draw(some, 20, seed=0, seconds=5)} == {4.0}


def test_one_speaker_makes_no_pair() -> None:
    with pytest.raises(BadInputError, match="one speaker"):
        draw(recordings("a")[:8], 1, seed=0, seconds=5)


def test_a_shuffled_voice_is_neither_the_targets_nor_the_sources() -> None:
    pairs = draw(recordings("a"), 30, seed=0, seconds=5)
    owners = {Path(pair.name): pair.target for pair in pairs}
    mixed = shuffle(pairs, {pair.name: Path(pair.name) for pair in pairs}, seed=0)
    assert mixed is not None
    for pair in pairs:
        assert owners[mixed[pair.name]] not in {pair.target, (pair.source.corpus, pair.source.speaker)}


def test_between_two_speakers_there_is_no_voice_to_shuffle_in() -> None:
    two = [one for one in recordings("a") if one.speaker in {"aM1", "aF1"}]
    pairs = draw(two, 4, seed=0, seconds=5)
    assert shuffle(pairs, {pair.name: Path(pair.name) for pair in pairs}, seed=0) is None


def tone(path: Path, seconds: float, rate: int = clock.RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(seconds * rate)) / 9), rate)
    return path


def test_recordings_are_joined_and_cut(tmp_path: Path) -> None:
    paths = [tone(tmp_path / f"{i}.wav", 2.0) for i in range(5)]
    assert len(joined(paths, 5)) == 6 * clock.RATE
    assert len(joined([tone(tmp_path / "long.wav", 30.0)], 5)) == 10 * clock.RATE


def test_pipelines_are_three_models() -> None:
    config = configuration.load({}).with_profile("plain")
    assert str(Pipeline.parse(PIPELINE, config)) == PIPELINE == str(Pipeline.default(config))
    for wrong, why in (("mfcc", "three"), ("mfcc+nothing+griffin-lim", "no mel model 'nothing'")):
        with pytest.raises(BadConfigError, match=why):
            Pipeline.parse(wrong, config)
    several = combine(config, "mfcc,contentvec", "", "griffin-lim,hifigan")
    assert [str(one) for one in several] == [
        f"{content}+retrieval+{vocoder}" for content in ("mfcc", "contentvec") for vocoder in ("griffin-lim", "hifigan")
    ]


def test_a_folder_belongs_to_its_pairs(tmp_path: Path) -> None:
    def pairs(seed: int) -> list[Pair]:
        return draw(recordings(), 3, seed, seconds=5)

    claim(tmp_path / "new", pairs(0))
    claim(tmp_path / "new", pairs(0))
    with pytest.raises(BadInputError, match="other pairs"):
        claim(tmp_path / "new", pairs(1))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(BadInputError, match="not an empty folder"):
        claim(tmp_path / "full", pairs(0))


@pytest.fixture(scope="module")
def people(male: Path, female: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three speakers of clips of two seconds and a half: the two bundled ones, and the man in a higher voice."""
    folder = tmp_path_factory.mktemp("people")
    for name, path, pitch in (("anna", female, 1.0), ("ben", male, 1.0), ("carl", male, 1.3)):
        sound, rate = soundfile.read(path)
        (folder / name).mkdir()
        for i, clip in enumerate(np.array_split(sound[: CLIPS * 5 * rate // 2], CLIPS)):
            soundfile.write(folder / name / f"{name}{i}.flac", clip, round(rate * pitch))
    return folder


@pytest.fixture(scope="module")
def report(people: Path, relay: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("evaluation") / "report"
    env = {**relay, "VOXRELAY_JUDGES": str(folder)}  # there are none
    # With this seed the three pairs have three targets, so that every voice has one to be shuffled with.
    options = ("--pairs", "3", "--seed", "6", "--reference", "2", "--training", people, "-o", folder)
    return {"folder": folder, "again": ("evaluate", people, *options), "env": env} | dict(
        vox_json("evaluate", people, *options, env=env)
    )


def test_every_row_is_there_and_those_that_must_fail_do(report: dict[str, Any]) -> None:
    rows = report["rows"]
    assert list(rows) == [
        "target's other recordings",
        "source, unconverted",
        "round trip",
        "copy synthesis, griffin-lim",
        PIPELINE,
        f"{PIPELINE}, nearest training voice",
        f"{PIPELINE}, shuffled voice",
    ]
    assert all(row["secs_target"]["count"] == 3 for row in rows.values())
    assert rows["source, unconverted"]["secs_nearer"]["value"] == 0
    assert rows["source, unconverted"]["secs_source"]["value"] == pytest.approx(1, abs=1e-4)
    assert rows["source, unconverted"]["cer"]["value"] == 0
    assert rows["copy synthesis, griffin-lim"]["secs_source"]["value"] > 0.9
    assert rows[PIPELINE]["secs_target"]["value"] > rows["source, unconverted"]["secs_target"]["value"]
    assert rows[PIPELINE]["secs_target"]["value"] > rows[f"{PIPELINE}, shuffled voice"]["secs_target"]["value"]
    assert rows[PIPELINE]["register"]["value"] < rows["source, unconverted"]["register"]["value"]
    assert rows["round trip"]["f0_pcc"]["value"] > 0.95
    assert rows[PIPELINE]["pace"]["value"] > 0
    for row in rows.values():
        assert all(one["low"] <= one["value"] <= one["high"] for one in row.values())


def test_a_judge_that_is_missing_is_named_and_left_out(report: dict[str, Any]) -> None:
    assert not any(key in row for row in report["rows"].values() for key in ("ovr", "encoder_target", "cer_text"))
    assert [line for line in report["notes"] if "DNSMOS" in line]
    assert [line for line in report["notes"] if "independent encoder" in line]
    assert "DNSMOS OVR |" not in (report["folder"] / "report.md").read_text()


def test_tables_figures_and_page_hold_every_trial(report: dict[str, Any]) -> None:
    folder = report["folder"]
    with (folder / "scores.csv").open() as file:
        scores = list(csv.DictReader(file))
    assert len(scores) == 7 * 3
    mine = [float(line["secs_target"]) for line in scores if line["row"] == PIPELINE]
    assert np.mean(mine) == pytest.approx(report["rows"][PIPELINE]["secs_target"]["value"], abs=1e-3)
    assert report["figures"] == ["similarity", "words", "pitch"]
    assert all((folder / f"{name}.png").read_bytes()[:4] == b"\x89PNG" for name in report["figures"])
    players = re.findall(r'<audio[^>]* src="([^"]+)"', (folder / "listen.html").read_text())
    assert len(players) == 3 + 7 * 3
    assert all((folder / name.replace("%2B", "+")).is_file() for name in players)
    assert "/" + str(folder).strip("/") not in (folder / "report.md").read_text()


def test_what_is_there_is_not_made_again(report: dict[str, Any]) -> None:
    folder = report["folder"]
    [victim] = (folder / "sounds" / PIPELINE).glob("002-*.wav")
    victim.with_suffix(".json").unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("sounds/*/*.wav") if path != victim}
    changed = victim.stat().st_mtime_ns
    again = vox_json(*report["again"], env=report["env"])
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert victim.stat().st_mtime_ns > changed
    assert again["rows"]["round trip"] == report["rows"]["round trip"]
    error = vox(*report["again"], "--seed", "7", env=report["env"], code=3).stderr
    assert "other pairs" in error


def test_the_grid_is_one_page_that_holds_everything(people: Path, relay: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "voices.html"
    options = ("--content", "mfcc,toy", "-o", page)
    source, env = people / "ben" / "ben0.flac", {**relay, "VOXRELAY_VOICES": str(tmp_path / "voices")}
    vox("voice", "add", "anna", people / "anna", env=env)
    rows = vox_json("check", "voices", source, "--voice", "anna", *options, env=env)["rows"]
    assert list(rows) == ["target", "source", PIPELINE, "toy+retrieval+griffin-lim"]
    assert rows[PIPELINE]["secs_target"] > rows["source"]["secs_target"]
    text = page.read_text()
    assert text.count("data:audio/flac;base64,") == 4
    assert text.count("data:image/png;base64,") == 5
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_a_page_that_cannot_be_is_refused(male: Path, relay: dict[str, str], tmp_path: Path) -> None:
    vox("check", "voices", male, "--voice", male, "-o", tmp_path / "page.pdf", env=relay, code=3)


def test_the_record_of_a_conversion_says_how_long_it_took(report: dict[str, Any]) -> None:
    [record] = (report["folder"] / "sounds" / PIPELINE).glob("001-*.json")
    assert 0 < json.loads(record.read_text())["pace"] < 100
