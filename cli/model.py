"""``vox model``: the weights of published models."""

from pathlib import Path
from typing import Annotated

import typer

from voxrelay.cli.output import Json, emit, explained, note
from voxrelay.relay.errors import Exit

app = typer.Typer(
    help="Get, check and convert the weights of published models.",
    epilog="Example: vox model list",
    no_args_is_help=True,
)
Model = Annotated[str, typer.Argument(help="Name in the catalogue: vox model list.")]


@app.command("list", epilog="Example: vox model list")
@explained
def list_(json_output: Json = False) -> None:
    """List the published models there are: licence, size, source, and whether they are here."""
    from voxrelay.fleet import models

    rows = models.table()
    if json_output:
        emit({"models": rows})
        return
    for row in rows:
        here = "here" if row["there"] else "by hand" if row["by_hand"] else "-"
        facts = f"{row['model']:<20}{row['stage']:<9}{row['licence']:<12}{row['megabytes']:>5} MB  {here:<9}"
        typer.echo(f"{facts}{row['source']}")


@app.command(epilog="Example: vox model pull contentvec")
@explained
def pull(
    model: Model,
    mirror: Annotated[
        str | None, typer.Option(metavar="URL", help="Get the files there: a copy of the hub, or of the files' folder.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server; say what is missing.")] = False,
    json_output: Json = False,
) -> None:
    """Get weights and make safetensors of them; what was interrupted goes on where it ended."""
    from voxrelay.cli.progress import ByteBars
    from voxrelay.fleet import models

    with ByteBars(quiet=json_output) as bars:
        made = models.pull(model, note, bars.update, mirror=mirror, offline=offline)
    if json_output:
        emit({"model": model, "file": made})
    else:
        typer.echo(made)


@app.command(epilog="Example: vox model verify")
@explained
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="MODEL...", help="By default all pulled ones.")] = None,
    json_output: Json = False,
) -> None:
    """Compare weights with what was recorded when they were pulled."""
    from voxrelay.fleet import models

    found = models.verify(names or [])
    if json_output:
        emit({"files": found})
    else:
        for row in found:
            typer.echo(f"{row['model']:<20}{row['state']:<14}{row['file']}")
    if any(row["state"] in {"changed", "missing"} for row in found):
        raise typer.Exit(Exit.FAILED)


@app.command(epilog="Example: vox model path contentvec")
@explained
def path(model: Model, json_output: Json = False) -> None:
    """Print where the weights of a model lie."""
    from voxrelay.fleet import models

    found = models.path(model)
    if json_output:
        emit({"model": model, "file": found})
    else:
        typer.echo(found)


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
