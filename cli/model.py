"""``vox model``: the weights of published models."""

from pathlib import Path
from typing import Annotated

import typer

from voxrelay.cli.output import Json, emit, explained, note

app = typer.Typer(help="Get, check and convert the weights of published models.", no_args_is_help=True)


@app.command(epilog="Example: vox model convert checkpoint_best_legacy_500.pt contentvec.safetensors")
@explained
def convert(
    weights: Annotated[Path, typer.Argument(help="Legacy ContentVec checkpoint, or a folder as on the hub.")],
    out: Annotated[Path, typer.Argument(help="File ending with .safetensors, or a new folder.")],
    json_output: Json = False,
) -> None:
    """Turn a ContentVec checkpoint into safetensors, without fairseq and without executing what it holds."""
    from voxrelay.fleet import conversion

    conversion.convert("contentvec", weights, out, note)
    if json_output:
        emit({"out": out.resolve()})
    else:
        typer.echo(out)
