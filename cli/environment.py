"""``vox env``: the virtual environments of the pools."""

from typing import Annotated

import typer

from voxrelay.cli.output import Json, emit, explained, note

app = typer.Typer(
    help="Build and list the environments of the pools.",
    epilog="Example: vox env list",
    no_args_is_help=True,
)


@app.command(epilog="Example: vox env build vocoder")
@explained
def build(
    names: Annotated[list[str] | None, typer.Argument(help="Environments; by default those of all pools.")] = None,
    json_output: Json = False,
) -> None:
    """Build environments that are missing or out of date, each from its own lock."""
    from voxrelay.fleet import environments
    from voxrelay.relay import config as configuration

    config = configuration.load()
    environments.ensure(config, names or config.environments(config.pools), note)
    _show(json_output=json_output)


@app.command("list", epilog="Example: vox env list")
@explained
def list_(json_output: Json = False) -> None:
    """List the environments and where they stand."""
    _show(json_output=json_output)


def _show(*, json_output: bool) -> None:
    from voxrelay.fleet import environments

    rows = [{"environment": e.name, "built": e.built, "folder": str(e.folder)} for e in environments.known().values()]
    if json_output:
        emit({"environments": rows})
        return
    for row in rows:
        typer.echo(f"{row['environment']:<22}{'built' if row['built'] else 'missing':<10}{row['folder']}")
