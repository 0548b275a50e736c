"""``vox worker``: the worker processes of this machine."""

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from voxrelay.cli.output import Json, emit, explained
from voxrelay.relay.errors import Exit

if TYPE_CHECKING:
    from voxrelay.relay.health import Health

app = typer.Typer(
    help="Run a worker in the foreground, or look at those of this machine.",
    epilog="Example: vox worker health",
    no_args_is_help=True,
)


@app.command(epilog="Example: vox worker run vocoder --redis redis://10.0.0.5:6379/0")
@explained
def run(
    pool: Annotated[str, typer.Argument(help="Pool of queues.yml.")],
    redis: Annotated[str, typer.Option(help="URL of the relay's Redis, if not REDIS_URL.", metavar="URL")] = "",
) -> None:
    """Run one worker process of a pool in the foreground, until SIGTERM or Ctrl-C.

    Only that pool's environment is needed, and built if it is missing. For a service manager, or a
    process for each GPU: CUDA_VISIBLE_DEVICES=1 vox worker run vocoder.
    """
    from voxrelay.cli.output import note
    from voxrelay.fleet import environments
    from voxrelay.relay import config as configuration
    from voxrelay.relay.errors import UnavailableError

    if redis:
        os.environ |= dict.fromkeys(configuration.URLS.values(), redis)
    config = configuration.load()
    config.served_by(pool)
    if not config.redis.shared:
        raise UnavailableError("no Redis was named", hint="--redis URL; `vox up` keeps a private one")
    settings = config.pools[pool]
    environments.ensure(config, [settings.environment], note)
    environment = environments.find(settings.environment)
    command = environments.worker_command(environment, pool)
    os.execve(command[0], command, environments.variables(environment, settings.threads))  # noqa: S606 - our own command


@app.command(epilog="Example: vox worker health mel vocoder --live")
@explained
def health(
    pools: Annotated[list[str] | None, typer.Argument(help="Pools; by default those with workers here.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask only whether they live, not whether they can serve.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Say how the workers of this machine are, without asking Redis.

    Ends with 0 when every pool has a worker that is ready; with --live, when every worker has said
    something within 15 s and computes nothing for longer than `timeouts.stuck`. Otherwise with 5.
    """
    from voxrelay.relay import config as configuration
    from voxrelay.relay import health as healths

    config = configuration.load()
    for pool in pools or []:
        config.served_by(pool)
    workers = healths.found()
    shown = [worker for worker in workers if not pools or worker.pool in pools]
    wrong = healths.troubles(workers, pools or [], config.timeouts.stuck, live=live)
    if json_output:
        emit({"ok": not wrong, "troubles": wrong, "workers": [worker.model_dump() for worker in shown]})
    else:
        _show(shown)
        for line in wrong:
            typer.echo(line, err=True)
    raise typer.Exit(Exit.UNAVAILABLE if wrong else Exit.OK)


def _show(workers: "list[Health]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("pool", "process", "state", "working for", "said"):
        table.add_column(column)
    now = time.time()
    for worker in workers:
        working = "" if worker.working_since is None else f"{now - worker.working_since:.1f} s"
        table.add_row(worker.pool, str(worker.process), worker.state, working, f"{now - worker.time:.0f} s ago")
    if workers:
        Console().print(table)
