"""Provenance: a sound file that voxrelay wrote says so, and by which version, when and with which models.

The note stands in the file's comment, which all formats that are written keep (WAV and AIFF as a chunk, FLAC
and Ogg as a Vorbis comment, MP3 as an ID3 tag), as one line that people and :func:`read` can read. It is a label
for the honest: whoever copies the samples leaves it behind.
"""

import functools
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

import soundfile

from voxrelay.relay.errors import BadInputError, VoxError
from voxrelay.relay.job import Manifest

_NAME = r"[a-z0-9][a-z0-9-]*"
_NOTE = re.compile(
    r"Converted speech: voxrelay (?P<version>[0-9A-Za-z.+]{1,40}), (?P<date>\d{4}-\d\d-\d\d)"
    rf"(?P<models>(?:, {_NAME} {_NAME})*)"
)
_LONGEST = 2_000  # characters of a comment that are looked at


@functools.cache
def own_version() -> str:
    """Return the version of voxrelay; its metadata are looked for once, which takes milliseconds."""
    return version("voxrelay")


@dataclass(frozen=True)
class Provenance:
    """What made a sound file: version, day and models. The day is the job's: a job gives one file, whenever fetched."""

    version: str
    date: str
    models: Mapping[str, str]

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return what a job's output says."""
        day = manifest.id[:8]
        models: dict[str, str] = {link.stage: link.model for link in manifest.chain}
        return cls(own_version(), f"{day[:4]}-{day[4:6]}-{day[6:]}", models)

    @classmethod
    def today(cls) -> Self:
        """Return what sound says that was made outside of a conversion."""
        return cls(own_version(), time.strftime("%Y-%m-%d"), {})

    def __str__(self) -> str:
        models = "".join(f", {stage} {model}" for stage, model in self.models.items())
        return f"Converted speech: voxrelay {self.version}, {self.date}{models}"

    def sign(self, file: soundfile.SoundFile) -> None:
        """Write it into a file that was opened to be written, before its first sample."""
        file.comment = str(self)
        file.software = f"voxrelay {self.version}"  # these two for other programs: not every format keeps them
        file.date = self.date


def read(path: Path) -> Provenance:
    """Read what made a sound file.

    Raises:
        BadInputError: it is no sound file.
        VoxError: it does not say that voxrelay made it.

    """
    try:
        with soundfile.SoundFile(path) as file:
            comment = file.comment[:_LONGEST]
    except (soundfile.SoundFileError, OSError) as error:
        raise BadInputError("is not a sound file", where=str(path)) from error
    found = _NOTE.fullmatch(comment)
    if found is None:
        hint = "voxrelay did not write it, or something removed its note since"
        raise VoxError("no voxrelay metadata", where=str(path), hint=hint)
    models = dict(pair.split(" ") for pair in found["models"].split(", ") if pair)
    return Provenance(found["version"], found["date"], models)
