"""The folder in which the jobs of a private relay outlive it: one owner at a time, one format that only grows."""

import fcntl
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from voxrelay.relay.errors import UnavailableError

WAIT_SECONDS = 10
Version = tuple[int, int]


@dataclass(frozen=True)
class Store:
    """A data folder that this process owns; redis-server inherits the lock, so no other starts while it lives."""

    folder: Path
    lock: TextIO

    @classmethod
    def take(cls, folder: Path, seconds: float = WAIT_SECONDS) -> Self:
        """Make the folder, for this user alone, and become its owner; one that is ending is waited for.

        Raises:
            UnavailableError: another relay has it, or it is not this user's alone.

        """
        deadline = time.monotonic() + seconds
        while (lock := _locked(folder)) is None:
            if time.monotonic() > deadline:
                owner = (folder / "lock").read_text() or "unknown"
                hint = "stop it with vox down; a relay is looked for in the folder for temporary files"
                raise UnavailableError(f"process {owner} keeps its jobs here", where=str(folder), hint=hint)
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return cls(folder, lock)

    def choose(self, server: Path) -> Path:
        """Return the redis-server to use: ``server``, unless a newer one has written this folder.

        A newer one reads what an older one wrote, and rewrites it; an older one would see nothing.

        Raises:
            UnavailableError: the newer one is gone.

        """
        record = self.folder / "server"
        wrote, path = record.read_text().split(maxsplit=1) if record.is_file() else ("0.0", "")
        if _version(server) < _parse(wrote):
            if not Path(path).is_file() or _version(Path(path)) < _parse(wrote):
                hint = f"install redis-server {wrote} or newer, or give these jobs up: remove the folder"
                raise UnavailableError(f"redis-server {wrote} wrote these jobs", where=str(self.folder), hint=hint)
            return Path(path)
        major, minor = _version(server)
        record.write_text(f"{major}.{minor} {server}")
        return server

    def remove(self) -> None:
        """Remove the folder: it holds no job."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _locked(folder: Path) -> TextIO | None:
    """Lock a folder, or return None where another process has; one that was removed meanwhile does not count."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnavailableError("is not this user's alone", where=str(folder), hint="chmod 700")
    try:
        lock = (folder / "lock").open("a")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    lock.close()
    return None


def _version(server: Path) -> Version:
    """Ask a redis-server for its version; the format of its files changes with the minor one."""
    done = subprocess.run([str(server), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\bv=([0-9]+\.[0-9]+)", done.stdout)
    if not found:
        raise UnavailableError("does not say its version", where=str(server), hint="is it a redis-server?")
    return _parse(found[1])


def _parse(version: str) -> Version:
    major, minor = version.split(".")
    return int(major), int(minor)
