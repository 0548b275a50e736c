"""``vox job``: what became of jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from voxrelay.producer.session import Session

app = typer.Typer(
    help="List, watch, fetch and cancel jobs.",
    epilog="Example: vox job fetch 20250101-120000-0a1b2c3d -o out.wav",
    no_args_is_help=True,
)
JobId = Annotated[str, typer.Argument(help="Job id, as `vox submit` and `vox convert` print it.", metavar="JOB")]


def open_session() -> "Session":
    """Connect to the relay in use, or to the jobs that a private one has kept.

    Raises:
        UnavailableError: there is neither.

    """
    from voxrelay.fleet import local
    from voxrelay.producer.session import Session
    from voxrelay.relay import config as configuration
    from voxrelay.relay.errors import UnavailableError

    config = configuration.load()
    redis = local.jobs_redis(config, note)
    if redis is None:
        raise UnavailableError("no relay is running, and none has kept jobs", hint="is REDIS_URL the right one?")
    return Session.open(config.model_copy(update={"redis": redis}))


@app.command("list", epilog="Example: vox job list")
@explained
def list_(
    most: Annotated[int, typer.Option(help="How many of the newest.", min=1)] = 50, json_output: Json = False
) -> None:
    """List jobs, newest first: state, windows done, source."""
    ledger = open_session().ledger
    rows = [_row(ledger.summary(job), job, ledger.manifest(job)) for job in ledger.recent(most)]
    if json_output:
        emit({"jobs": rows})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("job", no_wrap=True)  # it is copied from here
    for column in ("state", "windows", "seconds", "source", "client", "age"):
        table.add_column(column, overflow="fold")
    for row in rows:
        age = _age(time.time() - row["created"])
        done = f"{row['done']}/{row['windows']}"
        table.add_row(row["job"], row["state"], done, f"{row['seconds']:.1f}", row["source"], row["client"], age)
    Console(width=None if rows else 40).print(table if rows else "no jobs")


@app.command(epilog="Example: vox job show 20250101-120000-0a1b2c3d --json")
@explained
def show(job: JobId, json_output: Json = False) -> None:
    """Show what each stage did on each window: model, host, process, seconds, bytes."""
    from voxrelay.cli.progress import print_works

    ledger = open_session().ledger
    manifest, works, summary = ledger.manifest(job), ledger.works(job), ledger.summary(job)
    if json_output:
        data = {"job": job, **summary, "manifest": manifest.model_dump()}
        emit({**data, "stages": [work.report() for work in works]})
        return
    print_works(works)
    row = _row(summary, job, manifest)
    typer.echo(f"{job}: {row['state']}, {row['done']} of {row['windows']} windows {summary.get('error', '')}".rstrip())


@app.command(epilog="Example: vox job wait 20250101-120000-0a1b2c3d && echo done")
@explained
def wait(
    jobs: Annotated[list[str], typer.Argument(help="Job ids.", metavar="JOB...")], json_output: Json = False
) -> None:
    """Wait until jobs have ended; the exit code is 0 if all were converted."""
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.collect import Watch
    from voxrelay.relay.errors import Exit

    session, states = open_session(), {}
    for job in jobs:
        with StageBars(quiet=json_output) as bars:
            states[job] = Watch(session, job, bars.update).wait()
        if not json_output:
            typer.echo(f"{job}: {states[job]}")
    if json_output:
        emit({"jobs": states})
    raise typer.Exit(Exit.OK if set(states.values()) <= {"done", "collected"} else Exit.FAILED)


@app.command(epilog="Example: vox job fetch 20250101-120000-0a1b2c3d -o hello-anna.wav")
@explained
def fetch(
    job: JobId,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; the suffix is the format.")],
    json_output: Json = False,
) -> None:
    """Write the result of a job, waiting for what is not done yet.

    What is fetched is removed from Redis. Interrupted and started again with the same arguments,
    it goes on where it was.
    """
    from voxrelay.cli.convert import report
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.producer import Producer

    with Producer(note=note).conversion(job) as conversion, StageBars(quiet=json_output) as bars:
        done = conversion.fetch(output, bars.update)
    report(done, json_output=json_output)


@app.command(epilog="Example: vox job logs 20250101-120000-0a1b2c3d")
@explained
def logs(job: JobId, json_output: Json = False) -> None:
    """Print what happened to a job: acceptance, notes, windows sent again, failures, its end."""
    ledger = open_session().ledger
    ledger.manifest(job)
    lines = ledger.log(job)
    if json_output:
        emit({"job": job, "log": [{"time": moment, "line": line} for moment, line in lines]})
        return
    for moment, line in lines:
        typer.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(moment))} {line}")


@app.command(epilog="Example: vox job cancel 20250101-120000-0a1b2c3d")
@explained
def cancel(
    jobs: Annotated[list[str], typer.Argument(help="Job ids.", metavar="JOB...")], json_output: Json = False
) -> None:
    """End jobs for good: windows at hand are the last, and all but the record goes at once."""
    session = open_session()
    for job in jobs:
        session.dispatch.end(job, "cancelled")
        if not json_output:
            typer.echo(f"{job}: cancelled")
    if json_output:
        emit({"jobs": dict.fromkeys(jobs, "cancelled")})


def _row(summary: dict[str, str], job: str, manifest: Any) -> dict[str, Any]:  # noqa: ANN401 - a Manifest
    windows = int(summary["windows"])
    return {
        "job": job,
        "state": summary["state"],
        "windows": windows,
        "done": windows - int(summary["windows_left"]),
        "seconds": manifest.source.seconds if manifest.source else 0.0,
        "source": manifest.source.name if manifest.source else "",
        "client": manifest.client,
        "created": float(summary["created"]),
    }


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
