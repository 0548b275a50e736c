"""Files over HTTP, resumed where they were interrupted.

By huggingface_hub's parts, also from other servers: its ``hf_hub_download`` starts anew when its process was
interrupted.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from voxrelay.relay.errors import UnavailableError

OnBytes = Callable[[str, int, int], None]  # file, bytes that are there, bytes in all
_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class Remote:
    """A file on a server: ``tag`` changes when it does, where that is known; so is ``sha256``, or empty."""

    url: str
    tag: str
    revision: str = ""
    sha256: str = ""
    size: int | None = None

    @classmethod
    def on_hub(cls, repository: str, file: str, revision: str, endpoint: str | None) -> Self:
        """Ask a hub, by default that of Hugging Face, for a file at a revision.

        Raises:
            UnavailableError: it does not answer, or has no such file.

        """
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(repository, file, revision=revision, endpoint=endpoint)
        try:
            found = get_hf_file_metadata(url, endpoint=endpoint)
        except Exception as error:  # those of the hub, of HTTP and of sockets have nothing in common
            raise _unavailable(error, url) from error
        tag = found.etag or ""
        sha256 = tag if re.fullmatch(r"[0-9a-f]{64}", tag) else ""
        return cls(found.location, tag, found.commit_hash or "", sha256, found.size)


def fetch(remote: Remote, part: Path, label: str, on_bytes: OnBytes) -> str:
    """Fetch what is missing of a file, and return its sha256.

    Args:
        remote: the file.
        part: where its bytes gather. They stay there when this is interrupted, and are added to next time.
        label: what ``on_bytes`` is told.
        on_bytes: is told how much is there.

    Raises:
        UnavailableError: the server does not answer, or not with this file.

    """
    from huggingface_hub.file_download import http_get

    class Count:
        """Takes the place of a progress bar of tqdm."""

        def __init__(self, *, initial: int, total: int | None, **_: Any) -> None:  # noqa: ANN401 - not looked at
            self.done, self.total = initial, total or initial

        def update(self, count: int) -> None:
            self.done += count
            on_bytes(label, self.done, max(self.done, self.total))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of every retry
    _forget_others(part)
    try:
        with part.open("ab") as file:
            http_get(remote.url, file, resume_size=file.tell(), expected_size=remote.size, tqdm_class=Count)
    except Exception as error:
        if getattr(getattr(error, "response", None), "status_code", None) == _NOT_SATISFIABLE:
            part.unlink()  # it became shorter than what is here of it
        raise _unavailable(error, remote.url) from error
    return sha256(part)


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def part_of(path: Path, remote: Remote) -> Path:
    """Return where the bytes of a file gather: elsewhere when it is another file than before."""
    mark = hashlib.sha256(f"{remote.tag or remote.url}".encode()).hexdigest()[:12]
    return path.with_name(f"{path.name}.{mark}.part")


def _forget_others(part: Path) -> None:
    """Remove what is there of earlier files of that name."""
    stem = part.name.removesuffix(".part").rpartition(".")[0]
    for other in part.parent.glob(f"{stem}.*.part"):
        if other != part:
            other.unlink()


def _unavailable(error: Exception, url: str) -> UnavailableError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return UnavailableError(reason, where=url.partition("?")[0], hint="the same command goes on where this one ended")
