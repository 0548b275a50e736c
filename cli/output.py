"""How commands talk: text for people, ``--json`` for programs, one explained line for errors."""

import functools
import json
import signal
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec

import typer

from voxrelay.relay.errors import Exit, UnavailableError, VoxError

P = ParamSpec("P")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def explained(command: Callable[P, None]) -> Callable[P, None]:
    """Turn explained errors and Ctrl-C into one line and an exit code, after everything was cleaned up."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            command(*args, **kwargs)
        except VoxError as error:
            fail(error, as_json=bool(kwargs.get("json_output")))
        except KeyboardInterrupt:
            typer.echo("interrupted: stopped and cleaned up", err=True)
            raise typer.Exit(Exit.INTERRUPTED) from None
        except Exception as error:
            if not (refused := _refused(error)):
                raise
            fail(refused, as_json=bool(kwargs.get("json_output")))

    return run


def _refused(error: Exception) -> VoxError | None:
    """Explain what the user of Redis may not do, if it was that."""
    import redis

    if not isinstance(error, redis.exceptions.NoPermissionError):
        return None
    hint = "this takes a URL with another user: see deploy/users.acl"
    return UnavailableError(f"Redis refuses this to the user of this URL ({error})", hint=hint)


def fail(error: VoxError, *, as_json: bool) -> None:
    """Say what was wrong, where, and what to do; end with the error's exit code."""
    if as_json:
        emit(
            {"error": {"what": error.what, "where": error.where, "hint": error.hint, "exit_code": int(error.exit_code)}}
        )
    else:
        place = f"{error.where}: " if error.where else ""
        typer.secho(f"error: {place}{error.what}", fg="red", err=True)
        if error.hint:
            typer.echo(f"  hint: {error.hint}", err=True)
    raise typer.Exit(int(error.exit_code))


def emit(data: Any) -> None:  # noqa: ANN401 - anything JSON can say
    """Print one JSON document."""
    typer.echo(json.dumps(data, indent=2, default=str))


def note(line: str) -> None:
    """Say on the error stream what is going on."""
    typer.secho(line, dim=True, err=True)
