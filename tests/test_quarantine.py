"""Windows that cannot be done, jobs that are ended, voices that are lost: what becomes of the rest."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_operations import scrape

from conftest import vox, vox_json
from flowers import free_port
from limits import bench
from limits.bench import Bench
from voxrelay import Producer
from voxrelay.producer.join import HALF_FADE
from voxrelay.relay import clock, keys
from voxrelay.relay.config import WindowSize

MODEL = '''
"""A content encoder that cannot bear a second of digital silence, and takes its time, while files beside it say so."""
import time
from pathlib import Path
import numpy as np
from voxrelay.relay.tensors import Content

HERE = Path(__file__).parent

class Delicate:
    def encode(self, clips):
        with (HERE / "encoded").open("a") as file:
            file.write("x" * len(clips))
        if (HERE / "slow").exists():
            time.sleep(1)
        for clip in clips:
            if (HERE / "ill").exists() and (clip.data == 0).sum() > 16_000:
                raise ArithmeticError("so quiet")
        return [Content(np.abs(c.data.reshape(-1, 320)).mean(axis=1, keepdims=True), model="delicate") for c in clips]

def load():
    return Delicate()
'''
WINDOWS, POISON = 5, 2
POISON_SECONDS = (8, 10)  # within that window


@dataclass(frozen=True)
class Ward:
    """A relay with that model, a recording of four windows with silence in the third, a voice, and the output."""

    bench: Bench
    source: Path
    voice: Path
    healthy: bytes

    def say(self, **files: bool) -> None:
        """Have the model be ill, or slow, or neither."""
        for name in ("ill", "slow"):
            (self.bench.folder / name).unlink(missing_ok=True)
            if files.get(name):
                (self.bench.folder / name).touch()

    def submit(self, *options: str) -> str:
        """Enqueue the conversion."""
        arguments = ("submit", self.source, "--voice", self.voice, "--content", "delicate", *options)
        return vox(*arguments, env=self.bench.env).stdout.strip()

    def counted(self, name: str) -> float:
        """Return how often the pool says that this happened to the model."""
        samples = scrape(self.bench.config.pools["content"].metrics or 0)[f"voxrelay_{name}_total"]
        return sum(value for labels, value in samples if 'model="delicate"' in labels)

    def fetch(self, job: str, output: Path) -> bytes:
        """Fetch its sound."""
        vox("job", "fetch", job, "-o", output, env=self.bench.env)
        return output.read_bytes()


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    (folder / "delicate.py").write_text(MODEL)
    sound = np.concatenate(list(bench.speech(18.0, 0)))
    sound[POISON_SECONDS[0] * bench.RATE : POISON_SECONDS[1] * bench.RATE] = 0
    source = bench.write(folder / "source.wav", iter([sound]))
    voice = bench.write(folder / "voice.wav", bench.speech(6, 1, bench.CLIPS[1:]))
    model = {"content": {"delicate": {"pool": "content", "file": "delicate.py"}}}
    pools = {"content": {"metrics": free_port()}}
    changes = {"stages": model, "pools": pools, "timeouts": {"lease": 5, "patience": 8}, "lifetimes": {"voices": 60}}
    changes["limits"] = {"in_flight": 2}  # windows that wait for something fill all the room there is
    with bench.relay(folder, changes) as where:
        made = Ward(where, source, voice, b"")
        yield Ward(where, source, voice, made.fetch(made.submit(), folder / "healthy.wav"))


def test_a_window_that_fails_alone_three_times_is_given_up_and_can_be_tried_again(ward: Ward, tmp_path: Path) -> None:
    env, failures, retries = ward.bench.env, ward.counted("failures"), ward.counted("retries")
    ward.say(ill=True)
    job = ward.submit()
    said = vox("job", "fetch", job, "-o", tmp_path / "out.wav", env=env, code=1).stderr
    assert f"vox dead show {job}" in said
    [dead] = vox_json("dead", "show", job, "--save", str(tmp_path / "inputs"), env=env)["dead"]
    assert (dead["job"], dead["part"], dead["index"], dead["stage"]) == (job, "window", POISON, "content")
    assert dead["error"] == "content.delicate: ArithmeticError: so quiet"
    assert dead in vox_json("dead", "list", env=env)["dead"]
    log = vox("job", "logs", job, env=env).stdout
    assert log.count(f"window {POISON} failed: ") == 2  # and then it was given up
    assert (ward.counted("failures") - failures, ward.counted("retries") - retries) == (3, 2)
    given, rate = soundfile.read(tmp_path / "inputs" / f"window-{POISON:04}.flac")
    assert (len(given), rate) == (81_920, clock.RATE)
    assert (given == 0).sum() > clock.RATE
    ward.say()
    vox("dead", "retry", job, env=env)
    assert ward.fetch(job, tmp_path / "out.wav") == ward.healthy
    assert "no window" in vox("dead", "show", job, env=env, code=3).stderr


def test_a_window_that_was_dropped_is_silence(ward: Ward, tmp_path: Path) -> None:
    ward.say(ill=True)
    job = ward.submit()
    vox("job", "wait", job, env=ward.bench.env, code=1)
    vox("dead", "drop", job, env=ward.bench.env)
    ward.fetch(job, tmp_path / "out.wav")
    check_gap(tmp_path / "out.wav", ward)
    assert not [dead for dead in vox_json("dead", "list", env=ward.bench.env)["dead"] if dead["job"] == job]


def test_gaps_may_be_allowed_beforehand(ward: Ward, tmp_path: Path) -> None:
    ward.say(ill=True)
    result = vox_json("job", "fetch", ward.submit("--allow-gaps"), "-o", tmp_path / "out.wav", env=ward.bench.env)
    [(begin, end)] = result["gaps"]
    assert begin < POISON_SECONDS[0]
    assert end > POISON_SECONDS[1]
    check_gap(tmp_path / "out.wav", ward)


def check_gap(path: Path, ward: Ward) -> None:
    """Hold an output against the healthy one: silent in one window, the same before it and after it."""
    windows = WindowSize().cut(18 * clock.RATE)
    begin, end = (clock.sound_samples(edge) for edge in (windows[POISON].keep_from, windows[POISON].keep_to))
    found, healthy = (soundfile.read(name, dtype="int16")[0] for name in (path, ward.bench.folder / "healthy.wav"))
    assert len(found) == len(healthy)
    assert not found[begin + HALF_FADE : end - HALF_FADE].any()
    assert healthy[begin:end].any()
    np.testing.assert_array_equal(found[: begin - HALF_FADE], healthy[: begin - HALF_FADE])
    assert found[end + HALF_FADE :].any()


def test_a_cancelled_job_is_worked_on_for_one_window_more_at_most(ward: Ward) -> None:
    ward.say(slow=True)
    job = ward.submit()
    encoded = ward.bench.folder / "encoded"
    began = encoded.stat().st_size
    while encoded.stat().st_size == began:
        time.sleep(0.05)
    vox("job", "cancel", job, env=ward.bench.env)
    done = encoded.stat().st_size
    time.sleep(4)
    assert encoded.stat().st_size - began < WINDOWS
    assert encoded.stat().st_size - done <= 1
    assert not list(ward.bench.tensors.scan_iter(f"vox:tensor:{job}:*"))
    assert not [key for key in ward.bench.jobs.scan_iter(f"vox:job:{job}:*") if not key.endswith((b":log", b":trace"))]
    ward.say()


def test_a_voice_that_is_lost_is_prepared_again(ward: Ward, tmp_path: Path) -> None:
    ward.say(slow=True)
    with Producer(ward.bench.config).submit(ward.source, str(ward.voice), models={"content": "delicate"}) as conversion:
        while not conversion.session.ledger.works(conversion.job):
            time.sleep(0.05)
        lost = ward.bench.tensors.delete(*conversion.manifest.voice_keys())
        ward.say()
        result = conversion.fetch(tmp_path / "out.wav")
    assert lost
    assert [work for work in result.works if work.part == "reference"]
    assert (tmp_path / "out.wav").read_bytes() == ward.healthy


def test_tensors_of_a_job_that_is_gone_are_swept(ward: Ward) -> None:
    ward.bench.tensors.set(keys.window("20250101-000000-00000000", 0, "content"), b"left by a crash", ex=3600)
    deadline = time.monotonic() + 180
    while ward.bench.tensors.exists(keys.window("20250101-000000-00000000", 0, "content")):
        assert time.monotonic() < deadline
        time.sleep(1)
