"""Recordings are found in tables, in folders and by themselves, and splits are kept to."""

from pathlib import Path

import pytest

from voxrelay.relay import corpus
from voxrelay.relay.errors import BadInputError

TABLE = """path,split,speaker,sex,text,seconds
dev/x/1.wav,dev,X,F,Hello.,1.5
dev/y/1.wav,dev,Y,M,,
train/z/1.wav,train,Z,,,
"""


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_has_a_sub_folder_a_speaker(tmp_path: Path) -> None:
    touch(*(tmp_path / "deep" / name for name in ("anna/1.wav", "anna/more/2.flac", "ben/1.opus", "notes.txt")))
    touch(tmp_path / "carla" / "1.wav")
    assert [one.speaker for one in corpus.read(tmp_path / "deep")] == ["anna", "anna", "ben"]
    for place in (tmp_path / "carla", tmp_path / "carla" / "1.wav"):
        [carla] = corpus.read(place)
        assert (carla.speaker, carla.split, carla.seconds) == ("carla", corpus.TRAIN, 0.0)


def test_a_folder_inside_a_corpus_is_read_through_its_table(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("dev/x/1.wav", "dev/y/1.wav", "train/z/1.wav")))
    (tmp_path / "metadata.csv").write_text(TABLE)
    [one] = corpus.read(tmp_path / "dev" / "x")
    assert (one.speaker, one.sex, one.text, one.seconds) == ("X", "F", "Hello.", 1.5)
    assert [one.speaker for one in corpus.read(tmp_path / "metadata.csv", "dev")] == ["X", "Y"]
    assert [one.speaker for one in corpus.read(tmp_path, corpus.TRAIN)] == ["Z"]
    with pytest.raises(BadInputError, match="no recordings of split 'test'"):
        corpus.read(tmp_path, "test")


def test_a_table_may_name_recordings_anywhere_and_no_split(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "1.wav", tmp_path / "in" / "t.csv")
    (tmp_path / "in" / "t.csv").write_text(f"path,speaker\n{tmp_path}/elsewhere/1.wav,anna\n")
    [one] = corpus.read(tmp_path / "in" / "t.csv", corpus.TRAIN)
    assert one.path.is_file()


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "t.csv").write_text("file,who\na.wav,anna\n")
    (tmp_path / "n.csv").write_text("path,speaker,seconds\na.wav,anna,long\n")
    for name, words in {"in": "no recordings", "t.csv": "no column path, speaker", "n.csv": "cannot be read",
                        "x.csv": "cannot be read", "x": "neither"}.items():  # fmt: skip
        with pytest.raises(BadInputError, match=words):
            corpus.read(tmp_path / name)
