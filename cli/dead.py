"""``vox dead``: windows that were given up."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxrelay.cli.job import JobId, open_session
from voxrelay.cli.output import Json, emit, explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxrelay.relay.quarantine import Dead, Quarantine
    from voxrelay.relay.refused import Refused

app = typer.Typer(
    help="Windows that were given up: look at them, try them again, or do without.",
    epilog="Example: vox dead list",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: vox dead list")
@explained
def list_(json_output: Json = False) -> None:
    """List windows and references that were given up, of all jobs; and messages that workers refused."""
    from voxrelay.relay.refused import refused

    quarantine = _quarantine()
    _show(quarantine.all(), refused(quarantine.jobs), json_output=json_output)


@app.command(epilog="Example: vox dead show 20250101-120000-0a1b2c3d --save inputs/")
@explained
def show(
    job: JobId,
    save: Annotated[Path | None, typer.Option(help="Folder to write their sound to, as FLAC.")] = None,
    json_output: Json = False,
) -> None:
    """Show why windows of a job were given up, and keep what they were to convert."""
    found = _quarantine().of(job)
    if save:
        save.mkdir(parents=True, exist_ok=True)
        for dead in found:
            (save / f"{dead.unit.part}-{dead.unit.index:04}.flac").write_bytes(dead.sound)
    _show(found, json_output=json_output)


@app.command(epilog="Example: vox dead retry 20250101-120000-0a1b2c3d")
@explained
def retry(job: JobId, json_output: Json = False) -> None:
    """Let a failed job go on and try its windows again, as if they had never failed."""
    _show(_quarantine().retry(job), json_output=json_output)


@app.command(epilog="Example: vox dead drop 20250101-120000-0a1b2c3d")
@explained
def drop(job: JobId, json_output: Json = False) -> None:
    """Do without the windows: they become silence, and a failed job goes on."""
    _show(_quarantine().drop(job), json_output=json_output)


def _quarantine() -> "Quarantine":
    from voxrelay.relay.quarantine import Quarantine

    return Quarantine(open_session().dispatch)


def _show(found: "list[Dead]", refused: "Sequence[Refused]" = (), *, json_output: bool) -> None:
    if json_output:
        units = [{**vars(d.unit), "stage": d.stage, "error": d.error, "time": d.time} for d in found]
        emit({"dead": units, "refused": [message.model_dump() for message in refused]})
        return
    if not found:
        typer.echo("nothing was given up")
    for dead in found:
        typer.echo(
            f"{dead.unit.job}  {dead.unit.part} {dead.unit.index}  {_moment(dead.time)}  {dead.stage}: {dead.error}"
        )
    for message in refused:
        typer.echo(f"refused  {message.found}  {_moment(message.time)}  {message.bytes} bytes  {message.reason}")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
