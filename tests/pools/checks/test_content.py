"""The study of content frames: warping, look-up, and how much of a speaker is left in them."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from voxrelay.checks.content import __main__ as program
from voxrelay.checks.content.alignment import distance, look_up, prefer
from voxrelay.checks.content.frames import Spoken, twins
from voxrelay.checks.content.leakage import leak
from voxrelay.relay import safetensors

SENTENCES, FEATURES = 10, 8


def sentence(number: int) -> np.ndarray:
    """Make a sentence: sounds of five frames each, [frames, features]."""
    sounds = np.random.default_rng(number).standard_normal((12 + number % 4, FEATURES))
    return np.repeat(sounds, 5, axis=0)


def slower(frames: np.ndarray) -> np.ndarray:
    """Say it a third slower."""
    return frames[np.arange(len(frames) * 4 // 3) * 3 // 4]


def spoken(offset: float) -> list[Spoken]:
    """Two speakers, one slower than the other, who differ by ``offset`` in every feature."""
    both = []
    for number in range(SENTENCES):
        frames = sentence(number)
        both.append(Spoken("anna", f"s{number}", frames - offset / 2))
        both.append(Spoken("ben", f"s{number}", slower(frames) + offset / 2))
    return both


def test_a_sentence_is_no_distance_from_itself_said_slower() -> None:
    assert distance(sentence(1), slower(sentence(1))) == pytest.approx(0, abs=1e-9)
    assert distance(sentence(1), sentence(2)) > 1


def test_the_look_up_follows_the_alignment() -> None:
    found = look_up(sentence(1), slower(sentence(1)))
    assert found.near == 1.0
    assert (np.diff(found.aligned) >= 0).all()
    assert found.aligned[0] <= 5
    assert found.aligned[-1] >= len(slower(sentence(1))) - 6
    random = look_up(sentence(1), sentence(3)[::-1])
    assert random.near < 0.6


@pytest.mark.parametrize(("offset", "low", "high"), [(0.0, 1.0, 1.0), (8.0, 0.0, 0.05)])
def test_the_sentence_or_the_speaker_is_nearer(offset: float, low: float, high: float) -> None:
    found = prefer(twins(spoken(offset), most=6))
    assert found.comparisons == 6 * 2 * 5
    assert low <= found.share <= high


def test_twins_are_equal_sentences_of_two_speakers() -> None:
    some = [*spoken(0), Spoken("anna", "alone", sentence(99))]
    assert [pair.first.sentence for pair in twins(some, most=3)] == ["s0", "s4", "s9"]
    assert {(pair.first.speaker, pair.second.speaker) for pair in twins(some, most=99)} == {("anna", "ben")}
    assert twins(some[:1], most=3) == []


def test_a_speaker_in_the_frames_is_named() -> None:
    hidden, open_ = leak(spoken(0.0)), leak(spoken(8.0))
    assert open_.frame > 0.95
    assert open_.utterance > 0.95
    assert hidden.frame == pytest.approx(0.5, abs=0.1)
    assert hidden.chance == 0.5


def run(folder: Path, some: list[Spoken], monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.concatenate([one.frames for one in some]).astype(np.float32)
    (folder / "frames.safetensors").write_bytes(safetensors.write({"content": frames, "mel": frames}, {}))
    rows = [
        {"speaker": one.speaker, "sentence": one.sentence, "samples": 320 * len(one.frames), "frames": len(one.frames)}
        for one in some
    ]
    given = {"model": "any", "rows": rows, "cuts": {"3": 150, "6": 300}}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(given)))
    program.main(folder)


def test_everything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, spoken(0.0), monkeypatch)
    printed = json.loads(capsys.readouterr().out)
    assert printed["exact"]
    assert printed["parallel"]["any"] == 1.0
    assert printed["skipped"] == []
    for name in ("lengths", "parallel", "look-up", "leakage"):
        assert imread(tmp_path / f"{name}.png").shape[1] > 800
        assert f'src="{name}.png"' in (tmp_path / "index.html").read_text()


def test_what_cannot_be_compared_is_skipped_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, [one for one in spoken(0.0) if one.speaker == "anna"], monkeypatch)
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["skipped"]) == 2
    assert "parallel" not in printed
