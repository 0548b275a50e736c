"""Jobs on their own: submitted, watched, fetched, paused, cancelled, by commands and from Python."""

import asyncio
import io
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from conftest import VOX, vox, vox_json
from voxrelay import Conversion, Producer, VoxError
from voxrelay.producer.session import Session
from voxrelay.producer.submit import _open
from voxrelay.relay import config as configuration
from voxrelay.relay.job import Manifest


@pytest.fixture(scope="module")
def long(male: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of speech: seven windows."""
    sound, rate = soundfile.read(male)
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.tile(sound, 3)[: 30 * rate], rate)
    return path


@pytest.fixture(scope="module")
def converted(relay: dict[str, str], long: Path, female: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed conversion of it gives."""
    path = tmp_path_factory.mktemp("converted") / "out.wav"
    vox("convert", long, "--voice", female, "-o", path, env=relay)
    return path.read_bytes()


@pytest.fixture
def producer(relay: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Producer:
    for name, value in relay.items():
        monkeypatch.setenv(name, value)
    return Producer(configuration.load())


def submit(source: Path, voice: Path, env: dict[str, str]) -> str:
    return vox("submit", source, "--voice", voice, env=env).stdout.strip()


def state(job: str, env: dict[str, str]) -> str:
    return str(vox_json("job", "show", job, env=env)["state"])


def test_a_submitted_job_is_waited_for_and_fetched_by_others(
    relay: dict[str, str], long: Path, female: Path, converted: bytes, tmp_path: Path
) -> None:
    job = submit(long, female, relay)
    assert job in vox("job", "list", env=relay).stdout
    listed = next(row for row in vox_json("job", "list", env=relay)["jobs"] if row["job"] == job)
    assert (listed["windows"], listed["source"], listed["seconds"]) == (7, "long.wav", 30.0)
    assert vox("job", "wait", job, env=relay).stdout.strip() == f"{job}: done"
    fetched = vox_json("job", "fetch", job, "-o", tmp_path / "out.wav", env=relay)
    assert len([work for work in fetched["stages"] if work["part"] == "window"]) == 4 * 7
    assert (tmp_path / "out.wav").read_bytes() == converted
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]
    log = vox("job", "logs", job, env=relay).stdout
    assert [word for word in ("accepted: 7 windows", "done", "collected") if word not in log] == []
    again = vox("job", "fetch", job, "-o", tmp_path / "again.wav", env=relay, code=3)
    assert "was fetched already, to " in again.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


def test_a_stream_gives_the_same_sound_window_by_window(
    relay: dict[str, str], long: Path, female: Path, converted: bytes
) -> None:
    command = [VOX, "convert", long, "--voice", female, "-o", "-"]
    piped = subprocess.run(command, env={**os.environ, **relay}, capture_output=True, check=True).stdout
    assert soundfile.read(io.BytesIO(piped), dtype="int16")[0].tolist() == read(converted).tolist()


def test_an_interrupted_conversion_goes_on(
    relay: dict[str, str], long: Path, female: Path, converted: bytes, tmp_path: Path
) -> None:
    for how, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        arguments = ["convert", str(long), "--voice", str(female), "-o", str(tmp_path / "out.wav")]
        command = subprocess.Popen([VOX, *arguments], env={**os.environ, **relay}, stderr=subprocess.PIPE, text=True)
        partial = tmp_path / ".out.wav.partial"
        while not (partial.exists() and partial.stat().st_size):
            assert command.poll() is None
        command.send_signal(how)
        said = command.communicate(timeout=60)[1]
        assert command.returncode == code
        assert not (tmp_path / "out.wav").exists()
        job = str(json.loads((tmp_path / ".out.wav.partial.json").read_text())["job"])
        if how is signal.SIGINT:
            assert f"{job} is paused" in said
            assert state(job, relay) == "paused"
        done = vox("convert", *arguments[1:], env=relay)
        assert f"going on with {job}" in done.stderr
        assert f"job {job}" in done.stdout
        assert (tmp_path / "out.wav").read_bytes() == converted
        (tmp_path / "out.wav").unlink()
        assert not list(tmp_path.iterdir())


def test_cancelling_leaves_only_the_record(relay: dict[str, str], long: Path, female: Path, producer: Producer) -> None:
    job = submit(long, female, relay)
    vox("job", "cancel", job, env=relay)
    session = producer.conversion(job).session
    left = {key.decode() for key in session.stores.jobs.scan_iter(f"vox:*{job}*")}
    assert left <= {f"vox:job:{job}", f"vox:job:{job}:log", f"vox:job:{job}:trace"}
    assert not list(session.stores.tensors.scan_iter(f"vox:tensor:{job}:*"))
    assert "was cancelled" in vox("job", "fetch", job, "-o", "out.wav", env=relay, code=1).stderr
    assert vox("job", "wait", job, env=relay, code=1).stdout.strip() == f"{job}: cancelled"


def test_python_submits_waits_and_is_called_back(producer: Producer, long: Path, female: Path, tmp_path: Path) -> None:
    ended: list[str] = []
    called = threading.Event()

    def on_done(conversion: Conversion) -> None:
        ended.append(conversion.state)
        called.set()

    steps: list[Any] = []
    with producer.submit(long, str(female), on_done=on_done) as conversion:
        assert conversion.durable
        assert conversion.wait(steps.append) == "done"
        assert called.wait(60)
        assert ended == ["done"]
        assert {step.stage for step in steps} == {"speaker", "content", "mel", "vocoder"}
        result = conversion.fetch(tmp_path / "out.flac")
    assert (result.seconds, result.gaps, result.job) == (30.0, (), conversion.job)
    assert soundfile.info(result.output).frames == (30 * 22_050)


def test_a_client_that_is_interrupted_as_its_job_opens_takes_no_sounds_away(
    producer: Producer, male: Path, female: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def interrupted(session: Session, manifest: Manifest) -> None:
        _open(session, manifest)  # and its reply is lost
        opened.append(manifest.id)
        raise KeyboardInterrupt

    monkeypatch.setattr("voxrelay.producer.submit._open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        producer.submit(male, str(female))
    assert producer.conversion(opened[0]).wait() == "done"


def test_a_conversion_that_is_interrupted_as_its_job_opens_is_gone_on_with(
    producer: Producer, male: Path, female: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def interrupted(session: Session, manifest: Manifest) -> None:
        _open(session, manifest)
        opened.append(manifest.id)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("voxrelay.producer.submit._open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            producer.convert(male, str(female), tmp_path / "out.wav")
    result = producer.convert(male, str(female), tmp_path / "out.wav")
    assert result.job == opened[0]
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


def test_python_streams_and_awaits(producer: Producer, long: Path, female: Path, converted: bytes) -> None:
    async def heard() -> list[np.ndarray]:
        with producer.submit(long, str(female)) as conversion:
            return [sound async for sound in conversion]

    async def awaited() -> str:
        with producer.submit(long, str(female)) as conversion:
            state = await conversion
            conversion.cancel()
            return state

    sounds = asyncio.run(heard())
    assert len(sounds) == 7
    pcm = np.floor(np.concatenate(sounds) * np.float32(32_768)).clip(-32_768, 32_767)
    assert pcm.astype(np.int16).tolist() == read(converted).tolist()
    assert asyncio.run(awaited()) == "done"


def test_a_stream_that_is_left_ends_its_job(producer: Producer, long: Path, female: Path) -> None:
    with producer.submit(long, str(female)) as conversion:
        sounds = conversion.stream()
        next(sounds)
        sounds.close()
        assert conversion.state == "cancelled"
        with pytest.raises(VoxError, match="was cancelled"):
            next(conversion.stream())


def test_a_paused_job_goes_on(producer: Producer, long: Path, female: Path, converted: bytes, tmp_path: Path) -> None:
    with producer.submit(long, str(female)) as conversion:
        conversion.pause()
        assert conversion.state == "paused"
        conversion.resume()
        assert conversion.fetch(tmp_path / "out.wav").output.read_bytes() == converted


@pytest.mark.parametrize("command", ["show", "logs", "fetch", "cancel", "wait"])
def test_an_unknown_job_is_explained(command: str, relay: dict[str, str]) -> None:
    output = ["-o", "out.wav"] if command == "fetch" else []
    for job in ("20250101-000000-00000000", "../../etc/passwd"):
        assert f"no job '{job}'" in vox("job", command, job, *output, env=relay, code=3).stderr


def test_two_do_not_fetch_one_job(
    relay: dict[str, str], producer: Producer, long: Path, female: Path, tmp_path: Path
) -> None:
    job = submit(long, female, relay)
    sounds = producer.conversion(job).stream()
    next(sounds)
    assert "is being fetched by" in vox("job", "fetch", job, "-o", tmp_path / "out.wav", env=relay, code=3).stderr


def read(blob: bytes) -> np.ndarray:
    sound: np.ndarray = soundfile.read(io.BytesIO(blob), dtype="int16")[0]
    return sound
