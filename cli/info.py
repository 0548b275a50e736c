"""``vox info``: what a sound file says of itself."""

from pathlib import Path
from typing import Annotated

import typer

from voxrelay.cli.output import Json, emit, explained


@explained
def info(
    file: Annotated[Path, typer.Argument(help="Sound file.")],
    json_output: Json = False,
) -> None:
    """Say whether voxrelay made a sound file, with which version, when and with which models.

    Ends with 1 if the file does not say so, which proves nothing: a note can be removed.
    """
    from voxrelay.producer import provenance

    found = provenance.read(file)
    if json_output:
        emit({"file": file, "converted": True, "version": found.version, "date": found.date, "models": found.models})
    else:
        typer.echo(f"{file}: {found}")
