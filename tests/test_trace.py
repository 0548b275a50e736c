"""``vox trace``: how a trace becomes lanes and sums, and the whole way after a real conversion."""

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from conftest import vox, vox_json
from voxrelay.cli import lanes
from voxrelay.relay.config import Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.timeline import Timeline
from voxrelay.relay.work import Times, Work

STAGES = ["speaker", "content", "mel", "vocoder"]
ZERO = 1_700_000_000.0


def work(index: int, moments: list[float], stage: Stage = "mel", process: int = 1) -> Work:
    names = ("queued", "taken", "fetched", "started", "ended", "filed")
    return Work(
        part="window",
        index=index,
        stage=stage,
        model="any",
        pool="any",
        environment="any",
        host="host",
        process=process,
        bytes_in=1,
        bytes_out=1,
        cached=False,
        times=Times(**dict(zip(names, (ZERO + moment for moment in moments), strict=True))),
    )


def test_a_units_stay_is_cut_into_waits_moves_and_work() -> None:
    [lane] = Timeline.of("job", [work(0, [0, 1, 2, 4, 7, 8])]).lanes
    cut = [(interval.kind, interval.start, interval.end) for interval in lane.intervals]
    assert cut == [("waiting", 0, 1), ("moving", 1, 2), ("waiting", 2, 4), ("working", 4, 7), ("moving", 7, 8)]
    assert (lane.stage, lane.model, lane.worker) == ("mel", "any", "host:1")


def test_a_batch_is_worked_on_once_and_waits_are_summed() -> None:
    timeline = Timeline.of("job", [work(i, [0, 1, 2, 2, 6, 8]) for i in range(3)])
    [total] = timeline.totals()
    assert (total.units, total.workers) == (3, 1)
    assert (total.waiting, total.moving, total.working) == (3, 9, 4)
    assert total.busy == 0.5
    assert timeline.seconds == 8


def test_the_slowest_stage_is_the_busiest_for_its_workers() -> None:
    shared = [work(i, [0, 0, 0, 0, 6, 6], "mel", process=i) for i in range(2)]
    single = [work(0, [0, 0, 0, 0, 8, 8], "vocoder"), work(1, [8, 8, 8, 8, 10, 10], "content")]
    timeline = Timeline.of("job", [*single, *shared])
    assert {total.stage: total.busy for total in timeline.totals()} == {"content": 0.2, "mel": 0.6, "vocoder": 0.8}
    assert [lane.stage for lane in timeline.lanes] == ["content", "mel", "mel", "vocoder"]
    assert timeline.verdict() == "vocoder is the slowest stage: its 1 worker worked 80% of the job's 10.00 s."


def test_clocks_that_differ_make_no_negative_time() -> None:
    [lane] = Timeline.of("job", [work(0, [5, 1, 2, 2, 4, 5])]).lanes
    assert all(interval.end > interval.start for interval in lane.intervals)


def test_nothing_done_is_explained() -> None:
    with pytest.raises(BadInputError, match="no stage has ended"):
        Timeline.of("job", [])


def test_the_row_fits_and_shows_work_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    lanes.print_timeline(Timeline.of("job", [work(0, [0, 2, 4, 5, 10, 10]), work(1, [0, 0, 0, 0, 0, 0], "vocoder")]))
    lines = capsys.readouterr().out.splitlines()
    row = lines[0].split("host:1 ")[1].lstrip()
    assert len(lines[0]) <= lanes.WIDE
    assert row.count("█") == pytest.approx(len(row) / 2, abs=2)
    assert row.count("·") == pytest.approx(len(row) * 0.3, abs=2)
    assert row.count("-") == pytest.approx(len(row) * 0.2, abs=2)
    assert row[0] == "·"
    assert row[-1] == "█"


def test_what_lies_past_the_end_is_not_drawn() -> None:
    assert lanes._shares([(-1.0, 0.5), (0.9, 2.0)], seconds=1.0, width=10) == pytest.approx([1] * 5 + [0] * 4 + [1])
    assert lanes._shares([(0.0, 0.0)], seconds=0.0, width=3) == [0, 0, 0]


@pytest.fixture(scope="module")
def job(relay: dict[str, str], male: Path, stranger: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("trace") / "out.wav"
    return dict(vox_json("convert", male, "--voice", stranger, "-o", output, env=relay))


def test_json_holds_every_interval(job: dict[str, Any], relay: dict[str, str]) -> None:
    printed = vox_json("trace", job["job"], env=relay)
    timeline = Timeline.model_validate({name: printed[name] for name in Timeline.model_fields})
    assert [lane.stage for lane in timeline.lanes] == STAGES
    assert len({lane.worker for lane in timeline.lanes}) == 4
    windows = {(i.part, i.index) for i in timeline.lanes[-1].intervals}
    assert windows == {("window", index) for index in range(3)}
    for lane in timeline.lanes:
        assert {interval.kind for interval in lane.intervals} >= {"moving", "working"}
        assert all(0 <= interval.start < interval.end <= timeline.seconds + 1e-6 for interval in lane.intervals)
    reported = vox_json("job", "show", job["job"], env=relay)["stages"]
    for total in printed["totals"]:
        mine = [entry["worked"] for entry in reported if entry["stage"] == total["stage"]]
        assert total["working"] == pytest.approx(sum(mine), abs=1e-3), "no batches here: seconds add up"
        assert 0 < total["busy"] <= 1
    assert printed["verdict"].split()[0] in STAGES


def test_the_terminal_shows_lanes_sums_and_the_slowest_stage(job: dict[str, Any], relay: dict[str, str]) -> None:
    lines = vox("trace", job["job"], env=relay).stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == STAGES
    assert all(any(sign in line for sign in "▁▂▃▄▅▆▇█") for line in lines[:4])
    assert max(map(len, lines)) <= lanes.WIDE
    assert [line.split()[0] for line in lines[-5:-1]] == STAGES
    assert all(line.rstrip().endswith("%") for line in lines[-5:-1])
    assert "is the slowest stage" in lines[-1]


def test_a_png_is_drawn(job: dict[str, Any], relay: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "trace.png"
    vox("trace", job["job"], "-o", path, env=relay)
    width, height, pixels = read_png(path)
    assert 1000 < width < 2000
    assert 300 < height < 1000
    assert len(set(pixels)) > 50, "it is not blank"


def read_png(path: Path) -> tuple[int, int, bytes]:
    """Return width, height and the decompressed scan lines, every chunk held against its checksum."""
    blob = path.read_bytes()
    assert blob[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(blob):
        size, name = struct.unpack(">I4s", blob[at : at + 8])
        body = blob[at + 8 : at + 8 + size]
        assert struct.unpack(">I", blob[at + 8 + size : at + 12 + size])[0] == zlib.crc32(name + body)
        chunks.append((name, body))
        at += 12 + size
    assert (chunks[0][0], chunks[-1][0]) == (b"IHDR", b"IEND")
    width, height = struct.unpack(">II", chunks[0][1][:8])
    return width, height, zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))


def test_an_output_that_cannot_be_is_refused(job: dict[str, Any], relay: dict[str, str], tmp_path: Path) -> None:
    assert "trace.jpg" in vox("trace", job["job"], "-o", tmp_path / "trace.jpg", env=relay, code=3).stderr
    assert "none" in vox("trace", job["job"], "-o", tmp_path / "none" / "trace.png", env=relay, code=3).stderr


def test_an_unknown_job_is_explained(relay: dict[str, str]) -> None:
    assert "no job" in vox("trace", "20250101-120000-0a1b2c3d", env=relay, code=3).stderr
