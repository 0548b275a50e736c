"""``vox batch``: what a table means, what is refused, and that each output comes once whatever interrupts it."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import soundfile

from conftest import ROOT, vox_json
from faults import interrupted
from voxrelay.producer.journal import Entry, Journal
from voxrelay.producer.rows import COLUMNS, Options, read_rows
from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadConfigError, BadInputError

CONFIG = configuration.load({})


@pytest.fixture(scope="module")
def clips(male: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short recordings, one of them in a folder of its own, and what is none."""
    folder = tmp_path_factory.mktemp("clips")
    sound, rate = soundfile.read(male)
    (folder / "more").mkdir()
    for number, name in enumerate(("a.wav", "b.flac", "more/a.wav")):
        soundfile.write(folder / name, sound[number * rate :][:rate], rate)
    (folder / "notes.txt").write_text("none")
    (folder / ".hidden.wav").write_text("none")
    return folder


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_folder_is_every_recording_to_every_voice(clips: Path, tmp_path: Path) -> None:
    one = read_rows(clips, ["anna"], tmp_path, Options(), CONFIG)
    assert [str(row.output.relative_to(tmp_path)) for row in one] == ["a.wav", "b.wav", "more/a.wav"]
    two = read_rows(clips, ["anna", "x/ben.ogg:0.5+cleo:0.5"], tmp_path, Options(), CONFIG)
    assert [str(row.output.relative_to(tmp_path)) for row in two[::3]] == ["anna/a.wav", "ben-0.5+cleo-0.5/a.wav"]
    assert two[3].voice == ("x/ben.ogg:0.5", "cleo:0.5")


def test_what_a_batch_wrote_is_not_among_its_sources(clips: Path) -> None:
    (clips / "out").mkdir()
    (clips / "out" / "a.wav").write_bytes(b"")
    rows = read_rows(clips, ["anna"], clips / "out", Options(), CONFIG)
    shutil.rmtree(clips / "out")
    assert [row.source.name for row in rows] == ["a.wav", "b.flac", "a.wav"]


def test_a_table_says_what_it_wants_row_by_row(clips: Path, tmp_path: Path) -> None:
    path = table(
        clips / "table.csv",
        "source,voice,output,transpose,similarity,allow_gaps,vocoder",
        "a.wav,b.flac,x/one.flac,12,0.5,yes,griffin-lim",
        "b.flac,,,auto,,,",
        "/elsewhere/c.mp3,anna:0.6+./a.wav:0.4,,,,,",
    )
    asked = Options({"content": "mfcc"}, 2.0)
    first, second, third = read_rows(path, ["anna"], tmp_path, asked, CONFIG)
    assert (first.source, first.voice) == (clips / "a.wav", (str(clips / "b.flac"),))
    assert first.output == tmp_path / "x" / "one.flac"
    assert first.options == Options({"content": "mfcc", "vocoder": "griffin-lim"}, 12.0, 0.5, allow_gaps=True)
    assert (second.voice, second.output, second.options.transpose) == (("anna",), tmp_path / "b.wav", None)
    assert third.voice == ("anna:0.6", f"{clips}/./a.wav:0.4")
    assert (third.output, third.options) == (tmp_path / "c.wav", asked)


def test_a_table_without_voices_is_every_row_to_every_voice(clips: Path, tmp_path: Path) -> None:
    rows = read_rows(table(clips / "table.csv", "source", "more/a.wav"), ["anna", "ben"], tmp_path, Options(), CONFIG)
    assert [str(row.output.relative_to(tmp_path)) for row in rows] == ["anna/more/a.wav", "ben/more/a.wav"]


def test_every_column_is_told_of() -> None:
    text = (ROOT / "docs" / "batch.md").read_text()
    (said,) = re.findall(r"^\| column .*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in said.splitlines())) == list(COLUMNS)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["source,voic", "a.wav,anna"], "unknown columns voic"),
        (["voice", "anna"], "no column source"),
        (["source,voice"], "holds nothing"),
        (["source,voice", "a.wav,"], "table.csv:2: no voice"),
        (["source,voice", ",anna"], "table.csv:2: no source"),
        (["source,voice", "a.wav,anna,3"], "more cells than columns"),
        (["source,voice,transpose", "a.wav,anna,high"], "table.csv:2: transpose 'high'"),
        (["source,voice,similarity", "a.wav,anna,much"], "table.csv:2: similarity 'much'"),
        (["source,voice,allow_gaps", "a.wav,anna,perhaps"], "allow_gaps 'perhaps'"),
        (["source,voice,output", "a.wav,anna,a.doc"], "cannot write .doc"),
        (["source,voice,output", "a.wav,anna,../a.wav"], "outside"),
        (["source,voice", "a.wav,anna", "a.wav,ben"], "is the output of two"),
        (["source,voice,mel", "a.wav,anna,best"], "no mel model 'best'"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_before_anything_starts(
    lines: list[str], said: str, tmp_path: Path
) -> None:
    path = table(tmp_path / "table.csv", *lines)
    with pytest.raises((BadInputError, BadConfigError)) as caught:
        read_rows(path, [], tmp_path / "out", Options(), CONFIG)
    assert said in str(caught.value)


def test_a_source_is_never_written_over(clips: Path) -> None:
    with pytest.raises(BadInputError, match="is a source and an output"):
        read_rows(clips, ["anna"], clips, Options(), CONFIG)


def test_a_journal_is_one_process_s_and_outlives_a_torn_line(tmp_path: Path) -> None:
    output = tmp_path.resolve() / "a.wav"
    entry = Entry(output=str(output), asked="x", job="j")
    with Journal.open(tmp_path) as journal:
        journal.write(entry)
        with pytest.raises(BadInputError, match="another batch"):
            Journal.open(tmp_path)
    with next(tmp_path.glob(".vox-batch*")).open("a") as file:
        file.write('{"output": "/torn')
    with Journal.open(tmp_path) as journal:
        assert journal.find(output) == entry
        assert not entry.appeared
        journal.write(entry.model_copy(update={"done": True}))
    output.write_bytes(b"")
    with Journal.open(tmp_path) as journal:
        found = journal.find(output)
    assert found
    assert found.done
    assert found.appeared
    assert not found.model_copy(update={"before": output.stat().st_ino}).appeared


def test_a_batch_is_gone_on_with_only_where_something_is_new(
    relay: dict[str, str], clips: Path, female: Path, tmp_path: Path
) -> None:
    command = ["batch", clips, "--voice", female, "-o", tmp_path / "out"]
    first = vox_json(*command, env=relay)
    assert (first["done"], first["before"], first["failed"]) == (3, 0, [])
    assert first["real_time_factor"] > 0
    written = {path: path.stat().st_ino for path in (tmp_path / "out").rglob("*.wav")}
    assert len(written) == 3
    (tmp_path / "out" / "b.wav").unlink()
    second = vox_json(*command, env=relay)
    assert (second["done"], second["before"]) == (1, 2)
    assert sum(path.stat().st_ino == inode for path, inode in written.items()) == 2
    third = vox_json(*command, "--allow-gaps", env=relay)
    assert (third["done"], third["before"]) == (3, 0)  # other options may make other sounds
    with (tmp_path / "out" / "report.csv").open() as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["done"] * 3


def test_every_output_comes_once_however_a_batch_is_interrupted(tmp_path: Path) -> None:
    held_to(interrupted.run(tmp_path, 0, files=24, broken=5, backlog=4), 19)  # less than a batch would have in flight


@pytest.mark.slow
def test_five_hundred_outputs_come_once(tmp_path: Path) -> None:
    held_to(interrupted.run(tmp_path, 0, files=interrupted.FILES, broken=interrupted.BROKEN), 490)


def held_to(done: interrupted.Batched, outputs: int) -> None:
    assert done.failed == done.broken, json.dumps(done.summary["failed"], indent=1)
    assert (done.outputs, done.jobs) == (outputs, outputs)
    assert (done.doubled, done.differing, done.left) == (0, 0, [])
    assert done.codes == [130, -9, 1], json.dumps(done.summary)
