"""A job is a manifest: what is to be done, written once, and the record of what was done."""

import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxrelay.relay import keys
from voxrelay.relay.config import Stage

Part = Literal["reference", "window"]
TRANSPOSED = 24.0  # semitones at most
JOB_ID = re.compile(r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{8}$")


def new_id() -> str:
    """Make a job id: time of day, so that ids sort, and chance, so that they differ."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Link(_Record):
    """One link of the chain."""

    stage: Stage
    model: str


class Span(_Record):
    """A window of the source, in samples at 16 kHz (see ``clock.Window``)."""

    start: int
    length: int
    keep_from: int
    keep_to: int


class Reference(_Record):
    """A window of a reference recording, by the hash of its samples; weights of a blend add up to 1."""

    digest: str = Field(pattern=r"^[0-9a-f]{32}$")
    seconds: float
    weight: float


class Source(_Record):
    """The recording as it was found, and what is global to it.

    ``gain`` brings its speech to the common level; ``quiet`` are its stretches of silence, in samples
    at 16 kHz; ``digest`` is a hash of its samples.
    """

    name: str
    rate: int
    channels: int
    seconds: float
    gain: float = 1.0
    digest: str = ""
    quiet: list[tuple[int, int]] = []


class Manifest(_Record):
    """All that a job consists of; any part of it can be released again from this alone.

    ``allow_gaps``: a window that is given up becomes silence rather than fail the job. ``keep``: what
    passes between the stages stays until the window is collected. ``transpose``: semitones by which the
    source's melody is moved; None: into the target's register. ``similarity``: how far it goes from the source's voice,
    which is among the references if that is not all the way.
    """

    id: str = Field(pattern=JOB_ID.pattern)
    contract: str
    chain: list[Link]
    windows: list[Span]
    references: list[Reference] = []
    source: Source | None = None
    client: str = ""
    allow_gaps: bool = False
    keep: bool = False
    transpose: float | None = Field(default=None, ge=-TRANSPOSED, le=TRANSPOSED)
    similarity: float = Field(default=1.0, gt=0, le=1)

    @cached_property
    def voice_id(self) -> str:
        """Hash of the voice: its reference clips and their weights."""
        text = json.dumps([(r.digest, r.seconds, r.weight) for r in self.references])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @cached_property
    def request(self) -> str:
        """Hash of what was asked for: jobs of equal requests have equal results."""
        asked = self.model_dump_json(exclude={"id", "client", "keep"})
        return hashlib.sha256(asked.encode()).hexdigest()[:32]

    def links(self, part: Part) -> list[Link]:
        """Return the chain of a window, or of a reference, which ends before the vocoder."""
        return self.chain if part == "window" else [link for link in self.chain if link.stage != "vocoder"]

    def model(self, stage: Stage) -> str:
        """Return the model that this job uses for a stage."""
        return next((link.model for link in self.chain if link.stage == stage), "")

    def output_key(self, part: Part, index: int, stage: Stage) -> str:
        """Return the key that a stage writes, once, for a window or reference."""
        label = f"{stage}.{self.model(stage)}"
        if part == "reference":
            return keys.voice(self.digest(index), label)
        return self.blend_key if stage == "speaker" else keys.window(self.id, index, stage)

    @property
    def blend_key(self) -> str:
        """Return the key of the voice blended from all references."""
        return keys.voice(self.voice_id, f"speaker.{self.model('speaker')}")

    def digest(self, index: int) -> str:
        """Return the hash of a reference clip."""
        return self.references[index].digest

    def loudness_key(self, index: int) -> str:
        """Return the key of how loud a window of the source is."""
        return keys.window(self.id, index, "loudness")

    def melody_key(self, index: int) -> str:
        """Return the key of how the pitch of a window goes, and where it is to go."""
        return keys.window(self.id, index, "melody")

    def window_keys(self, index: int) -> list[str]:
        """Return the keys of all tensors that belong to one window alone."""
        return [keys.window(self.id, index, name) for name in ("content", "mel", "loudness", "melody")]

    def reference_keys(self, index: int) -> list[str]:
        """Return the keys of everything prepared of one reference."""
        return [self.output_key("reference", index, link.stage) for link in self.links("reference")]

    def voice_keys(self) -> list[str]:
        """Return the keys of everything prepared for this job's voice."""
        found = [key for index in range(len(self.references)) for key in self.reference_keys(index)]
        return [*found, self.blend_key]


@dataclass(frozen=True)
class Event:
    """One line of a job's stream: a stage ended on a window or a reference."""

    part: Part
    index: int
    stage: Stage
    error: str

    def to_fields(self) -> dict[str, str | int]:
        """Return the fields of a stream entry."""
        return {"part": self.part, "index": self.index, "stage": self.stage, "error": self.error}

    @classmethod
    def from_fields(cls, raw: dict[bytes, bytes]) -> "Event":
        """Read the fields of a stream entry."""
        data: dict[str, Any] = {name.decode(): value.decode() for name, value in raw.items()}
        return cls(data["part"], int(data["index"]), data["stage"], data["error"])
