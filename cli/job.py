"""``vox job``: what became of a job."""

from typing import TYPE_CHECKING, Annotated

import typer

from voxrelay.cli.output import Json, emit, explained

if TYPE_CHECKING:
    from voxrelay.relay.ledger import Ledger

app = typer.Typer(help="Look at jobs.", no_args_is_help=True)


def open_ledger() -> "Ledger":
    """Open the records of the relay in use.

    Raises:
        UnavailableError: none is running.

    """
    from voxrelay.fleet import local
    from voxrelay.relay import config as configuration
    from voxrelay.relay.connect import client
    from voxrelay.relay.errors import UnavailableError
    from voxrelay.relay.ledger import Ledger

    config = configuration.load()
    redis = local.running_redis(config)
    if redis is None:
        raise UnavailableError("no relay is running", hint="a private relay takes its records with it; set REDIS_URL")
    return Ledger(client(redis.jobs or ""), config)


@app.callback()
def group() -> None:
    """Keep `show` a command of its own while it is the only one."""


@app.command(epilog="Example: vox job show 20250101-120000-0a1b2c3d --json")
@explained
def show(
    job: Annotated[str, typer.Argument(help="Job id, as `vox convert` printed it.")], json_output: Json = False
) -> None:
    """Show what each stage did on each window: model, host, process, seconds, bytes."""
    from voxrelay.cli.progress import print_works

    ledger = open_ledger()
    manifest, works = ledger.manifest(job), ledger.works(job)
    if json_output:
        data = {"job": job, **ledger.summary(job), "manifest": manifest.model_dump()}
        emit({**data, "stages": [work.report() for work in works]})
        return
    print_works(works)
    summary = ledger.summary(job)
    typer.echo(f"{job}: {summary['state']} {summary.get('error', '')}".rstrip())
