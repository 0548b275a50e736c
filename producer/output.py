"""Files that appear under their names only when they are complete, and can be gone on with."""

import fcntl
import json
import os
import wave
from pathlib import Path
from typing import BinaryIO, Self, TextIO

import numpy as np
import soundfile

from voxrelay.producer.recording import Samples
from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Tensor

WRITABLE = {".wav": "PCM_16", ".flac": "PCM_16", ".aiff": "PCM_16", ".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}
_BLOCK = 65_536
_BYTES = 2


def check_writable(path: Path) -> None:
    """Refuse an output that could not be written, before anything is computed for it.

    Raises:
        BadInputError: the format is unknown or the folder is missing.

    """
    if path.suffix.lower() not in WRITABLE:
        raise BadInputError(f"cannot write {path.suffix or 'a file without a suffix'}", where=str(path),
                            hint=f"one of {', '.join(WRITABLE)}")  # fmt: skip
    if not path.parent.is_dir():
        raise BadInputError("there is no such folder", where=str(path.parent), hint="make it first")
    if not os.access(path.parent, os.W_OK):
        raise BadInputError("this folder cannot be written to", where=str(path.parent))


class Partial:
    """What is final of an output, as raw 16-bit samples beside it, and which job it is of.

    A context manager: whatever happens, the files stay for the next attempt until they are finished
    or discarded. One process at a time has them.
    """

    def __init__(self, path: Path, request: str, note: TextIO) -> None:
        self.path, self.request, self._note = path, request, note
        self._data = _beside(path, "partial").open("a+b")
        note.seek(0)
        try:
            found = json.loads(note.read() or "{}")
        except ValueError:
            found = {}  # its writer was killed while it wrote
        self.job: str = found["job"] if found.get("request") == request else ""

    @classmethod
    def open(cls, path: Path, request: str) -> "Partial":
        """Take the partial file of an output; its ``job`` is empty unless it is of the same request.

        Raises:
            BadInputError: the output cannot be written, or another process is writing it.

        """
        check_writable(path)
        place = _beside(path, "partial.json")
        while True:
            note = place.open("a+")
            try:
                fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note.close()
                hint = "wait for it, or name another file"
                raise BadInputError("is being written by another vox", where=str(path), hint=hint) from None
            if place.exists() and os.path.samestat(place.stat(), os.fstat(note.fileno())):
                return cls(path, request, note)
            note.close()  # whoever had it before has just finished and removed it

    @property
    def length(self) -> int:
        """Samples that it holds."""
        return self._data.seek(0, os.SEEK_END) // _BYTES

    def claim(self, job: str) -> None:
        """Begin anew, for a job."""
        self._data.truncate(0)
        self._note.truncate(0)
        self._note.write(json.dumps({"job": job, "request": self.request}))
        self._note.flush()
        os.fsync(self._note.fileno())
        self.job = job

    def resume(self, samples: int) -> bool:
        """Go on after so many samples; False if it does not hold as many."""
        if self.length < samples:
            return False
        self._data.truncate(samples * _BYTES)
        return True

    def write(self, sound: Samples) -> None:
        """Append float [samples] in -1..1; they are on disk when this returns."""
        self._data.write(_to_pcm(sound))
        self._data.flush()
        os.fdatasync(self._data.fileno())

    def finish(self) -> None:
        """Make the output of it."""
        encoded, kind = _beside(self.path, "unfinished"), self.path.suffix.lower()
        self._data.seek(0)
        try:
            with soundfile.SoundFile(
                encoded, "w", clock.SOUND_RATE, 1, WRITABLE[kind], format=kind[1:].upper()
            ) as file:
                while block := self._data.read(_BLOCK * _BYTES):
                    file.write(np.frombuffer(block, dtype="<i2"))
            encoded.replace(self.path)
        finally:
            encoded.unlink(missing_ok=True)
        self.discard()

    def discard(self) -> None:
        """Remove the files."""
        for kind in ("partial", "partial.json"):
            _beside(self.path, kind).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.job:
            self.discard()
        self._data.close()
        self._note.close()


class WavPipe:
    """Writes 16-bit WAV of a known length to a stream that cannot seek."""

    def __init__(self, stream: BinaryIO, total: int) -> None:
        self._stream = stream
        self._file = wave.open(stream, "wb")  # noqa: SIM115 - whoever gave the stream closes it
        self._file.setnchannels(1)
        self._file.setsampwidth(_BYTES)
        self._file.setframerate(clock.SOUND_RATE)
        self._file.setnframes(total)

    def write(self, sound: Samples) -> None:
        """Write float [samples] in -1..1 and send them on."""
        self._file.writeframesraw(_to_pcm(sound))
        self._stream.flush()


def write_tensor(path: Path, tensor: Tensor) -> None:
    """Write what a stage made: sound as a sound file unless the suffix is .safetensors."""
    if isinstance(tensor, Audio) and path.suffix != ".safetensors":
        with Partial.open(path, "") as partial:
            partial.claim("")
            partial.write(tensor.data)
            partial.finish()
        return
    partial_path = _beside(path, "partial")
    partial_path.write_bytes(tensor.to_bytes())
    partial_path.replace(path)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def _to_pcm(sound: Samples) -> bytes:
    return np.rint(np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()
