"""``vox top``, ``vox metrics`` and ``vox flower``: how the relay is, for a person, for Prometheus, in a browser."""

import contextlib
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from rich.console import RenderableType

    from voxrelay.relay.config import Config
    from voxrelay.relay.overview import Overview

_EVERY_SECONDS = 1.0


@explained
def top(
    once: Annotated[bool, typer.Option("--once", help="Print how it is now, and end.")] = False,
    json_output: Json = False,
) -> None:
    """Watch queues, pools and rates, the slowest stage, and where workers are to be added. Ctrl-C ends."""
    import redis
    from rich.console import Console
    from rich.live import Live

    from voxrelay.relay.overview import Observer

    observer = Observer(_reached())
    if json_output:
        found = observer.look()
        emit({**found.model_dump(), "seconds_left": found.left, "advice": found.advice()})
        return
    console = Console()
    if once or not console.is_terminal:
        console.print(_frame(observer.look()))
        return
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                live.update(_frame(observer.look()), refresh=True)
            except redis.RedisError as error:
                live.update(f"Redis does not answer: {error}", refresh=True)
            time.sleep(_EVERY_SECONDS)


@explained
def metrics(
    port: Annotated[int, typer.Option(help="Port that Prometheus scrapes.", min=1, max=65_535)],
) -> None:
    """Answer Prometheus with what no pool can know: backlog, queues, jobs, memory of Redis.

    For whoever runs a relay that is watched by Prometheus; one for each relay, on any machine that
    reaches its Redis, until Ctrl-C. Pools answer on ports of their own, `metrics` in queues.yml.
    """
    from voxrelay.fleet import exporter

    config = _reached()
    note(f"answering on port {port}, /metrics")
    exporter.serve(config, port)


@explained
def flower(
    address: Annotated[str, typer.Option(help="Address to answer on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to answer on.", min=1, max=65_535)] = 5555,
) -> None:
    """Show workers and tasks of the relay in a browser, by Flower, until Ctrl-C.

    Who may look is FLOWER_BASIC_AUTH=user:password, or stands so in the file that FLOWER_BASIC_AUTH_FILE names;
    without it only this machine is answered. It changes nothing. The first time builds its environment.
    """
    from voxrelay.fleet import environments
    from voxrelay.relay import config as configuration

    config = _reached()
    environment = environments.find("flower")
    environments.ensure(config, [environment.name], note)
    urls = {variable: getattr(config.redis, name) for name, variable in configuration.URLS.items()}
    command = [str(environment.python), "-P", "-m", "voxrelay.monitoring.flower"]
    os.execve(  # noqa: S606 - our own command
        command[0],
        [*command, "--address", address, "--port", str(port)],
        {**environments.variables(environment, 1), **urls},
    )


def _reached() -> "Config":
    """Return the configuration with the Redis of the relay in use.

    Raises:
        UnavailableError: none runs.

    """
    from voxrelay.fleet import local
    from voxrelay.relay import config as configuration
    from voxrelay.relay.errors import UnavailableError

    config = configuration.load()
    redis = local.running_redis(config)
    if redis is None:
        raise UnavailableError("no relay is running", hint="vox up starts one; is REDIS_URL the right one?")
    return config.model_copy(update={"redis": redis})


def _frame(found: "Overview") -> "RenderableType":
    """Arrange it for the terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    pools = Table(box=None, pad_edge=False)
    pools.add_column("pool")
    for column in ("workers", "hosts", "units/s", "busy", "waiting", "oldest"):
        pools.add_column(column, justify="right")
    slow = found.slowest
    for load in found.pools:
        oldest = max((queue.oldest for queue in found.queues if queue.pool == load.pool), default=0.0)
        cells = [load.pool, str(load.workers), str(load.hosts), f"{load.rate:.2f}", f"{load.busy:.0%}"]
        style = "bold" if slow and slow.pool == load.pool else None
        pools.add_row(*cells, str(load.waiting), f"{oldest:.1f} s" if oldest else "", style=style)
    left = f", done in {timedelta(seconds=round(found.left))}" if found.backlog and found.left else ""
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.jobs.items())) or "none"
    memory = ", ".join(f"{name} {_megabytes(one.used, one.limit)}" for name, one in found.memory.items())
    lines = [
        f"backlog {found.backlog} windows, {found.flight} in flight, {found.pace:.2f} windows/s{left}",
        f"jobs    {states}; {found.dead} windows given up",
        f"redis   {memory}",
        "",
    ]
    return Group(Text("\n".join(lines)), pools, Text(f"\n{found.advice()}"))


def _megabytes(used: int, limit: int) -> str:
    return f"{used / 1e6:.0f} of {limit / 1e6:.0f} MB" if limit else f"{used / 1e6:.0f} MB"
