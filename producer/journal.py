"""The journal of a batch: which job makes which output, and which are made. It lies beside the outputs."""

import fcntl
import json
import os
from pathlib import Path
from typing import BinaryIO, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from voxrelay.producer.output import settled
from voxrelay.relay.errors import BadInputError

NAME = ".vox-batch.jsonl"


class Entry(BaseModel):
    """What is known of one output.

    ``asked``: hash of all that decides what it holds; only the same is gone on with. ``job``: who makes it.
    ``before``: inode of the file that had its name then, 0 if none had: an output appears as a new file, so
    it is complete if there is another. ``seconds`` of the source.
    """

    model_config = ConfigDict(frozen=True)

    output: str
    asked: str
    job: str = ""
    before: int = 0
    seconds: float = 0.0
    done: bool = False

    @property
    def appeared(self) -> bool:
        """Whether the output has come to be since the job was written down."""
        return inode(Path(self.output)) not in (0, self.before)


class Journal:
    """Entries, a line each, of which the last counts; a line is on the disk when it is written. A context manager."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: dict[str, Entry] = {}
        for line in file.read().splitlines():
            try:
                entry = Entry.model_validate_json(line)
            except ValidationError:  # the last line of a process that was killed
                continue
            self._entries[entry.output] = entry
        file.write(b"\n")  # ends such a line

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open, or begin, the journal of a folder, and lock it.

        Raises:
            BadInputError: another process has it, or the folder cannot be written to.

        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / NAME).open("a+b", buffering=0)
        except OSError as error:
            raise BadInputError(f"cannot be written to: {error.strerror}", where=str(folder)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            hint = "wait for it, or name another folder"
            raise BadInputError("another batch writes to this folder", where=str(folder), hint=hint) from None
        file.seek(0)
        return cls(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def find(self, output: Path) -> Entry | None:
        """Return what is known of an output."""
        return self._entries.get(str(settled(output)))

    def write(self, entry: Entry) -> None:
        """Add an entry."""
        self._entries[entry.output] = entry
        self._file.write(json.dumps(entry.model_dump(exclude_defaults=True)).encode() + b"\n")
        os.fsync(self._file.fileno())


def inode(path: Path) -> int:
    """Return the number of a file; 0 if there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
