"""Results on disk: bytes, locks, and files that can be gone on with."""

import fcntl
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from voxrelay.producer.output import WRITABLE, WavPipe, write_tensor
from voxrelay.producer.partial import Partial
from voxrelay.producer.provenance import Provenance
from voxrelay.relay.errors import BadInputError, VoxError
from voxrelay.relay.tensors import Audio

RATE = 22_050
# Every step of 16 bit, what lies between two of them, and what is beyond.
STEPS = (np.arange(-33_000, 33_000, 0.25) / 32_768).astype(np.float32)
NOISE = np.random.default_rng(0).uniform(-1, 1, 150_000).astype(np.float32)
SOUND = np.concatenate([STEPS.clip(-1, 1), NOISE])
JOB = "20250101-000000-00000000"
MADE = Provenance("0.1.0", "2025-01-01", {"speaker": "resemblyzer", "vocoder": "griffin-lim"})


def directly(path: Path, sound: np.ndarray = SOUND, made: Provenance = MADE) -> bytes:
    """Return the file that libsndfile writes from floats."""
    with soundfile.SoundFile(path, "w", RATE, 1, WRITABLE[path.suffix]) as file:
        made.sign(file)
        file.write(np.clip(sound, -1, 1))
    return path.read_bytes()


def written(path: Path, sound: np.ndarray = SOUND) -> bytes:
    with Partial.open(path, "request") as partial:
        partial.claim(JOB)
        for piece in np.array_split(sound, 7):
            partial.write(piece)
        partial.finish(MADE)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["out.wav", "out.aiff"])
def test_the_file_is_the_one_that_libsndfile_writes(name: str, tmp_path: Path) -> None:
    assert written(tmp_path / name) == directly(tmp_path / f"direct-{name}")
    assert {path.name for path in tmp_path.iterdir()} == {name, f"direct-{name}"}


def test_a_flac_holds_the_samples_of_the_wav(tmp_path: Path) -> None:
    for name in ("out.wav", "out.flac"):
        written(tmp_path / name)
    one, other = (soundfile.read(tmp_path / name, dtype="int16")[0] for name in ("out.wav", "out.flac"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["out.ogg", "out.mp3"])
def test_lossy_formats_keep_length_and_level(name: str, tmp_path: Path) -> None:
    sound = NOISE * np.float32(0.3)
    written(tmp_path / name, sound)
    again, rate = soundfile.read(tmp_path / name)
    assert (len(again), rate) == (len(sound), RATE)
    assert np.std(again) == pytest.approx(np.std(sound), rel=0.1)


def test_an_output_of_nothing_is_written(tmp_path: Path) -> None:
    assert written(tmp_path / "out.wav", NOISE[:0]) == directly(tmp_path / "direct.wav", NOISE[:0])


def test_nothing_is_under_the_name_before_all_is_there(tmp_path: Path) -> None:
    with Partial.open(tmp_path / "out.wav", "request") as partial:
        partial.claim(JOB)
        partial.write(NOISE)
    assert {path.name for path in tmp_path.iterdir()} == {".out.wav.partial", ".out.wav.partial.json"}
    assert (tmp_path / ".out.wav.partial").stat().st_size == 2 * len(NOISE)


@pytest.mark.parametrize("final", [0, 1, 100_000, 150_000])
def test_going_on_gives_the_same_file(final: int, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with Partial.open(path, "request") as partial:
        assert partial.job == ""
        partial.claim(JOB)
        partial.write(NOISE)
    with (tmp_path / ".out.wav.partial").open("ab") as torn:
        torn.write(b"\x01")
    with Partial.open(path, "request") as partial:
        assert partial.job == JOB
        assert partial.resume(final)
        partial.write(NOISE[final:])
        partial.finish(MADE)
    assert path.read_bytes() == directly(tmp_path / "direct.wav", NOISE)


def test_what_is_not_there_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with Partial.open(tmp_path / "out.wav", "request") as partial:
        partial.claim(JOB)
        partial.write(NOISE[:99])
        assert not partial.resume(100)
        assert partial.resume(99)


def test_another_request_begins_anew_and_only_when_it_claims(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with Partial.open(path, "one") as partial:
        partial.claim(JOB)
        partial.write(NOISE)
    with Partial.open(path, "other") as partial:
        assert partial.job == ""
    with Partial.open(path, "one") as partial:
        assert partial.job == JOB
    with Partial.open(path, "other") as partial:
        partial.claim("20250101-000000-11111111")
        assert not partial.resume(1)
    with Partial.open(path, "other") as partial:
        assert partial.job == "20250101-000000-11111111"


@pytest.mark.parametrize("text", [b"", b"{", b"null", b'{"job": 1}', b"\xff\n"])
def test_a_damaged_note_of_whose_it_is_means_nobody(text: bytes, tmp_path: Path) -> None:
    (tmp_path / ".out.wav.partial.json").write_bytes(text)
    with Partial.open(tmp_path / "out.wav", "") as partial:
        assert partial.job == ""


def test_discarding_leaves_nothing(tmp_path: Path) -> None:
    with Partial.open(tmp_path / "out.wav", "request") as partial:
        partial.claim(JOB)
        partial.write(NOISE)
        partial.discard()
        partial.discard()
    assert not list(tmp_path.iterdir())


HOLD = """
import sys
from pathlib import Path
from voxrelay.producer.partial import Partial
from voxrelay.producer.provenance import Provenance
with Partial.open(Path(sys.argv[1]), "other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_write_one_output(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BadInputError, match=rf"out\.wav: is being written by process {other.pid} on"):
            Partial.open(path, "request")
        Partial.open(tmp_path / "another.wav", "request").close()
        other.kill()  # the lock ends with its holder
    Partial.open(path, "request").close()


def test_a_lock_on_a_file_that_was_just_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar, lock, taken = tmp_path / ".out.wav.partial.json", fcntl.flock, []

    def flock(file: BinaryIO, how: int) -> None:
        lock(file, how)
        taken.append(how)
        if len(taken) == 1:
            sidecar.unlink()

    monkeypatch.setattr(fcntl, "flock", flock)
    with Partial.open(tmp_path / "out.wav", "request"):
        assert len(taken) == 2
        with pytest.raises(BadInputError, match="is being written"):
            Partial.open(tmp_path / "out.wav", "request")


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    (tmp_path / ".out.wav.partial").symlink_to("/dev/full")
    with (
        Partial.open(tmp_path / "out.wav", "request") as partial,
        pytest.raises(VoxError, match=r"out\.wav: cannot be written: No space left"),
    ):
        partial.write(NOISE)


def test_a_pipe_gets_the_file_that_libsndfile_writes(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        with os.fdopen(writing, "wb") as stream:
            pipe = WavPipe(stream, 20_000, MADE)
            assert len(os.read(reading, 1_000)) < 500  # the header, before any sound
            pipe.write(NOISE[:5_000])
            assert len(os.read(reading, 20_000)) == 10_000
            pipe.write(NOISE[5_000:20_000])
        rest = source.read()
    buffer = io.BytesIO()
    whole = WavPipe(buffer, 20_000, MADE)
    whole.write(NOISE[:20_000])
    assert buffer.getvalue() == directly(tmp_path / "direct.wav", NOISE[:20_000])
    assert buffer.getvalue().endswith(rest)


def test_a_tensor_of_sound_is_written_as_before(tmp_path: Path) -> None:
    write_tensor(tmp_path / "out.wav", Audio(STEPS, rate=RATE))
    assert (tmp_path / "out.wav").read_bytes() == directly(tmp_path / "direct.wav", STEPS, Provenance.today())
    write_tensor(tmp_path / "out.safetensors", Audio(STEPS, rate=RATE))
    again = Audio.from_bytes((tmp_path / "out.safetensors").read_bytes())
    np.testing.assert_array_equal(again.data, STEPS)
    assert len(list(tmp_path.iterdir())) == 3
