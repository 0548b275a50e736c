"""Errors a person is shown: what was wrong, where, and what to do about it."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of ``vox``; 2 is Typer's own for a wrong command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    BAD_CONFIG = 4
    UNAVAILABLE = 5
    INTERRUPTED = 130


class VoxError(Exception):
    """A failure that is explained rather than traced.

    Args:
        what: what was wrong, with the offending value.
        where: the file, key, stage or address it was found at.
        hint: what the reader can do.

    """

    exit_code: Exit = Exit.FAILED

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"


class BadInputError(VoxError):
    """A recording, reference or tensor that cannot be converted."""

    exit_code = Exit.BAD_INPUT


class BadConfigError(VoxError):
    """A configuration that cannot be used: key, value found and values allowed are named."""

    exit_code = Exit.BAD_CONFIG


class UnavailableError(VoxError):
    """Redis, a pool, an environment or a weight file that is not there."""

    exit_code = Exit.UNAVAILABLE


class RefusedError(UnavailableError):
    """A job for which there is no room now; later there will be."""


class StageError(VoxError):
    """A stage that failed on one window."""


class MissingError(StageError):
    """An input that is not there, though it was: it is made again."""
