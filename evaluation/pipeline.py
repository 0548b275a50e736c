"""A pipeline as it is written down: ``content+mel+vocoder``."""

from dataclasses import dataclass
from typing import Self

from voxrelay.relay.config import Config, Stage
from voxrelay.relay.errors import BadConfigError

_STAGES: tuple[Stage, ...] = ("content", "mel", "vocoder")


@dataclass(frozen=True)
class Pipeline:
    """The models of a conversion; the speaker model is that of ``queues.yml``."""

    content: str
    mel: str
    vocoder: str

    @classmethod
    def parse(cls, text: str, config: Config) -> Self:
        """Read ``mfcc+retrieval+griffin-lim``.

        Raises:
            BadConfigError: it is not three names, or names a model that there is not.

        """
        names = text.split("+")
        if len(names) != len(_STAGES):
            hint = "CONTENT+MEL+VOCODER, as in mfcc+retrieval+griffin-lim"
            raise BadConfigError(f"{text!r} does not name three models", where="--pipeline", hint=hint)
        for stage, name in zip(_STAGES, names, strict=True):
            config.model(stage, name)
        return cls(*names)

    @classmethod
    def default(cls, config: Config) -> Self:
        """Return that of ``queues.yml``."""
        return cls(*(config.chain()[stage] for stage in _STAGES))

    @property
    def models(self) -> dict[Stage, str]:
        """By stage."""
        return {"content": self.content, "mel": self.mel, "vocoder": self.vocoder}

    def __str__(self) -> str:
        return "+".join(self.models.values())
