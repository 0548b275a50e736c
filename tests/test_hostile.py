"""Hostile messages, tensors and recordings: refused with a reason, nothing executed, and work goes on."""

import itertools
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import hostile
from conftest import vox, vox_json
from limits import bench
from limits.bench import Bench
from voxrelay.producer.plan import plan_stages
from voxrelay.producer.session import Session
from voxrelay.producer.submit import submit
from voxrelay.relay import chain, keys, message
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Link, Manifest, Source, Span
from voxrelay.relay.tensors import Mel

CHAIN = [
    Link(stage="speaker", model="resemblyzer"),
    Link(stage="content", model="mfcc"),
    Link(stage="mel", model="retrieval"),
    Link(stage="vocoder", model=bench.FAST),
]
TAKEN = 12  # kombu sends a few back at a time
WINDOW = Span(start=0, length=81_920, keep_from=0, keep_to=81_920)
SIZES = [pytest.param(300, 60, id="few"), pytest.param(4_000, 1_000, id="5000", marks=pytest.mark.slow)]
MEL = Mel(np.random.default_rng(0).standard_normal((441, 80)).astype(np.float32)).to_bytes()


@pytest.fixture(scope="module")
def ours() -> dict[str, bytes]:
    """Messages as we send them, by queue: of a window whose first stages are done already."""
    found = {}
    for begin, link in enumerate(CHAIN):
        manifest = Manifest(id="20250101-000000-0a1b2c3d", contract="", chain=CHAIN[begin:], windows=[WINDOW])
        found[keys.queue(link.stage, link.model)] = chain.first(manifest, "window", 0).raw
    return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A relay on which a unit that fails is not tried again."""
    with bench.relay(tmp_path_factory.mktemp("target"), {"limits": {"failures": 1}}) as found:
        yield found


def strange(ours: dict[str, bytes], marker: Path, count: int) -> list[tuple[str, bytes]]:
    """Make messages that are not ours, and the queues that they are put into."""
    found = []
    for number, (queue, good) in enumerate(itertools.islice(itertools.cycle(ours.items()), count)):
        made = hostile.messages(good, marker, number)
        found.append((queue, next(raw for raw in made if _reason(raw, queue))))
    return found


def _reason(raw: bytes, queue: str) -> str:
    try:
        message.check_task(raw, queue)
    except BadInputError as error:
        return str(error)
    return ""


def test_ours_pass_and_theirs_do_not(ours: dict[str, bytes], tmp_path: Path) -> None:
    for queue, raw in ours.items():
        message.check_task(raw, queue)
        for other in set(ours) - {queue}:
            assert _reason(raw, other)
    made = [next(hostile.messages(ours["content.mfcc"], tmp_path / "ran", seed)) for seed in range(2000)]
    reasons = [reason for raw in made if (reason := _reason(raw, "content.mfcc"))]
    assert len(reasons) > 1600, "the others differ in what is free: a text, a number in its range"
    assert all(reason.isprintable() and len(reason) < 400 for reason in reasons)
    assert len(set(reasons)) > 60
    for raw in itertools.islice(hostile.controls(0), 500):
        with pytest.raises(BadInputError):
            message.check_control(raw)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("messages", "blobs"), SIZES)
@pytest.mark.timeout(3600)
def test_pools_outlive_what_strangers_send(
    target: Bench, ours: dict[str, bytes], messages: int, blobs: int, male: Path, female: Path, tmp_path: Path
) -> None:
    before, marker = _workers(target), tmp_path / "ran"
    was = _refused(target)
    for queue, raw in strange(ours, marker, messages):
        target.tensors.lpush(queue, raw)
    for raw in itertools.islice(hostile.controls(1), messages // 10):
        target.tensors.publish("/0.celery.pidbox", raw)
    _put_into_unacknowledged(target, ours, TAKEN)
    expected = messages + TAKEN + len(before) * (messages // 10)
    _wait(lambda: _refused(target) - was >= expected, f"{expected} refusals")
    assert _refused(target) - was == expected
    shown = vox_json("dead", "list", env=target.env)["refused"]
    assert len(shown) == min(expected, 1000)
    assert all(one["reason"] and one["pool"] and one["bytes"] for one in shown)
    assert "refused  " in vox("dead", "list", env=target.env).stdout
    _tensors(target, marker, blobs)
    vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=target.env)
    assert soundfile.info(tmp_path / "out.wav").frames > 0
    assert _workers(target) == before, "a worker died"
    assert not marker.exists(), "something was executed"


def _put_into_unacknowledged(target: Bench, ours: dict[str, bytes], count: int) -> None:
    """Say that a worker took messages long ago and did not finish."""
    chance = random.Random(0)  # noqa: S311 - the same ones each time
    for number in range(count):
        good = next(iter(ours.values())).decode()
        raw = chance.choice(
            [b"[", b"[" * 20_000, b"null", b'["a", "", "vox:jobs"]', f'[{good}, "", "vox:jobs"]'.encode(), b"\xff"]
        )
        target.tensors.hset("unacked", f"stranger-{number}", raw)
        target.tensors.zadd("unacked_index", {f"stranger-{number}": 1})


def _tensors(target: Bench, marker: Path, count: int) -> None:
    """Have pools read tensors and sound that are none; each job fails with the reason."""
    session, made = Session.open(target.config), hostile.blobs(MEL, marker, 0)
    plans = {}
    for number in range(count):
        blob, sound = next(made), number % 4 == 0
        if sound:
            blob = hostile.mutated(b"fLaC" + blob, random.Random(number))  # noqa: S311 - the same ones each time
        source = Source(name="x", rate=16_000, channels=1, seconds=5.12) if sound else None
        plan = plan_stages(target.config, ["content" if sound else "vocoder"], {}, frames=256)
        manifest = plan.manifest.model_copy(update={"source": source})
        if sound:
            session.stores.jobs.hset(keys.sources(manifest.id), "0", blob)
        else:
            session.stores.tensors.set(keys.window(manifest.id, 0, "mel"), blob)
        submit(session, manifest)
        plans[manifest.id] = blob
    ledger = session.dispatch.ledger
    _wait(lambda: all(ledger.state(job) != "running" for job in plans), f"{count} jobs")
    for job, blob in plans.items():
        error = ledger.summary(job)["error"]
        assert ledger.state(job) == "failed", (job, blob[:300])
        assert not re.search(r"\w(Error|Exception): ", error), (error, blob[:300])
        assert len(error) > 20
    session.close()


def _workers(target: Bench) -> set[int]:
    return {worker["process"] for worker in vox_json("ps", env=target.env)["workers"] if worker["state"] == "ready"}


def _refused(target: Bench) -> int:
    logs = Path(target.env["VOXRELAY_HOME"], "logs").glob("*.log")
    return sum(path.read_text(errors="replace").count("refused a message of ") for path in logs)


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 1200
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


READ = """
import sys, pathlib
from voxrelay.producer.recording import survey
from voxrelay.relay import clock
from voxrelay.relay.errors import VoxError
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        found = survey(path, 0.3, 40)
        windows = clock.plan_windows(found.length, 81920, 5120)
        print(path.name, "result", sum(len(window) for window in found.windows(windows)), flush=True)
    except VoxError as error:
        print(path.name, "error", repr(str(error))[:200], flush=True)
"""


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_mutated_recordings_give_a_result_or_an_error(count: int, male: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(male)
    chance, folder = random.Random(count), tmp_path / "mutated"  # noqa: S311 - the same ones each time
    folder.mkdir()
    good = {}
    for kind in ("wav", "flac", "ogg", "mp3", "aiff", "au", "w64", "caf"):
        soundfile.write(tmp_path / f"good.{kind}", sound[: 4 * rate], rate)
        good[kind] = (tmp_path / f"good.{kind}").read_bytes()
    for number in range(count):
        kind = chance.choice(list(good))
        (folder / f"{number:04}.{kind}").write_bytes(hostile.mutated(good[kind], chance))
    done = subprocess.run(
        [sys.executable, "-c", READ, folder], capture_output=True, text=True, timeout=1500, check=False
    )
    lines: list[Any] = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.stderr[-2000:])
    assert len(lines) == count
    assert {line[1] for line in lines} == {"result", "error"}
