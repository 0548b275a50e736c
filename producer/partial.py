"""An output that is not complete: kept safe as it grows, locked, and gone on with after an interruption."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from voxrelay.producer.level import Samples
from voxrelay.producer.output import BLOCK, FRAME, beside, encode, to_frames
from voxrelay.producer.provenance import Provenance
from voxrelay.relay.errors import BadInputError, VoxError


class _Owner(BaseModel):
    """What a partial file belongs to, and the process that has it or had it last."""

    model_config = ConfigDict(frozen=True)

    job: str = ""
    request: str = ""
    host: str = ""
    process: int = 0


class Partial:
    """The stream so far of an output that is not complete, 16 bit at 22.05 kHz, and whose it is.

    It lies beside the output as ``.NAME.partial``, and ``.NAME.partial.json`` says what it belongs to
    and is locked by the process that writes. A context manager that leaves both where they are unless
    :meth:`finish` or :meth:`discard` was called.

    Attributes:
        job: the job whose stream this is, if it was begun for the same request; otherwise empty.

    """

    def __init__(self, path: Path, request: str, owner: _Owner, lock: BinaryIO) -> None:
        self.path, self.request, self._lock = path, request, lock
        self._data = beside(path, "partial").open("ab", buffering=0)
        self.job = owner.job if owner.request == request else ""
        self._nobodys = not owner.job
        self._sign(owner.job, owner.request)

    @classmethod
    def open(cls, path: Path, request: str) -> Self:
        """Take hold of the partial file of an output, whether there was one or not.

        Args:
            path: the output.
            request: all that decides what it will hold; only the same is gone on with.

        Raises:
            BadInputError: another process is writing the same output.

        """
        with _explained(path):
            lock = _locked(path)
            return cls(path, request, _read_owner(lock), lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def claim(self, job: str) -> None:
        """Begin anew, for another job."""
        with _explained(self.path):
            self._data.truncate(0)
            self._sign(job, self.request)
        self.job = job

    def resume(self, samples: int) -> bool:
        """Go on after so many samples; whether there are as many."""
        if os.fstat(self._data.fileno()).st_size < samples * FRAME.itemsize:
            return False
        self._data.truncate(samples * FRAME.itemsize)
        return True

    def write(self, sound: Samples) -> None:
        """Append sound, float32 [samples] in -1..1; it is on the disk when this returns.

        Raises:
            VoxError: the disk is full, or gone.

        """
        rest = memoryview(to_frames(sound).tobytes())
        with _explained(self.path):
            while rest:
                rest = rest[self._data.write(rest) :]
            os.fdatasync(self._data.fileno())

    def finish(self, made: Provenance) -> None:
        """Write all of it in the output's own format, under the output's name, with a note of what made it, and end."""
        with _explained(self.path):
            encode(self.path, beside(self.path, "partial.complete"), _stored(beside(self.path, "partial")), made)
        self.discard()

    def discard(self) -> None:
        """Remove what there is, and end."""
        self._remove()
        self.close()

    def close(self) -> None:
        """Let go of it, so that it can be gone on with; nothing is left of one that was never claimed."""
        if self._nobodys and not self.job:
            self._remove()
        self._data.close()
        self._lock.close()

    def _remove(self) -> None:
        if not self._lock.closed:
            beside(self.path, "partial").unlink(missing_ok=True)
            beside(self.path, "partial.json").unlink(missing_ok=True)

    def _sign(self, job: str, request: str) -> None:
        owner = _Owner(job=job, request=request, host=socket.gethostname(), process=os.getpid())
        text = owner.model_dump_json().encode() + b"\n"
        os.pwrite(self._lock.fileno(), text, 0)  # over the old text, of which only the first line is read:
        self._lock.truncate(len(text))  # at no moment is there neither
        os.fsync(self._lock.fileno())


def _stored(path: Path) -> Iterator[NDArray[np.int16]]:
    """Yield the frames of a partial file in blocks."""
    with path.open("rb") as file:
        while len(block := np.fromfile(file, FRAME, BLOCK)):
            yield block


def _locked(path: Path) -> BinaryIO:
    """Open the file that says whose a partial file is, and lock it."""
    name = beside(path, "partial.json")
    while True:
        lock = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read_owner(lock)
            lock.close()
            raise BadInputError(f"is being written by process {other.process} on {other.host}", where=str(path),
                                hint="wait for it, or name another file") from None  # fmt: skip
        with suppress(FileNotFoundError):  # whoever had it may have removed it before letting go
            if os.path.samestat(os.fstat(lock.fileno()), name.stat()):
                return lock
        lock.close()


def _read_owner(lock: BinaryIO) -> _Owner:
    """Read whose a partial file is; nobody's if that was never written."""
    lock.seek(0)
    try:
        return _Owner.model_validate_json(lock.readline())
    except ValidationError:
        return _Owner()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Tell what the system has against writing an output."""
    try:
        yield
    except (OSError, soundfile.SoundFileError) as error:
        what = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        hint = "make room, or name another file: what is done so far is kept"
        raise VoxError(what, where=str(path), hint=hint) from error
