"""``vox up``, ``vox down``, ``vox scale``, ``vox restart``, ``vox ps``: the pools."""

from typing import Annotated, Any

import typer

from voxrelay.cli.output import Json, emit, explained, note
from voxrelay.relay.errors import Exit

Pools = Annotated[list[str] | None, typer.Argument(help="Pools of queues.yml; by default those of the profile.")]

OurPools = Annotated[list[str] | None, typer.Argument(help="Pools; by default all of this machine.")]


@explained
def up(pools: Pools = None, json_output: Json = False) -> None:
    """Start pools on this machine and keep them until `vox down`.

    With REDIS_URL they join that relay: run `vox up vocoder` on a second machine and it takes its
    share. Without it they and a private Redis form a relay of their own.
    """
    from voxrelay.fleet import environments, local
    from voxrelay.relay import config as configuration

    config = configuration.load()
    wanted = pools or config.chain_pools()
    for pool in wanted:
        config.served_by(pool)
    environments.ensure(config, config.environments(wanted), note)
    local.warm(config, wanted, note, stay=True)
    _show(_rows(), json_output=json_output)


@explained
def down(json_output: Json = False) -> None:
    """Stop the pools of this machine, and the private Redis."""
    from voxrelay.fleet import supervised
    from voxrelay.relay import config as configuration

    stopped = supervised.shared_supervisor(configuration.load()).stop()
    if json_output:
        emit({"stopped": stopped})
    else:
        typer.echo("stopped" if stopped else "nothing was running")


@explained
def scale(
    sizes: Annotated[list[str], typer.Argument(help="How many workers a pool shall have.", metavar="POOL=NUMBER")],
    json_output: Json = False,
) -> None:
    """Have more or fewer workers of a pool on this machine, the other pools undisturbed.

    New ones are there when this returns; those that are too many have finished what they computed.
    The numbers hold until `vox down`; for good they stand in queues.yml.
    """
    from voxrelay.fleet import scale
    from voxrelay.relay import config as configuration

    config = configuration.load()
    wanted = scale.read_sizes(sizes, config)
    scale.scale(config, wanted, note)
    if json_output:
        emit({"workers": wanted})
    else:
        typer.echo(", ".join(f"{pool}: {size}" for pool, size in wanted.items()))


@explained
def restart(pools: OurPools = None, json_output: Json = False) -> None:
    """Replace the workers of this machine one by one, while the others serve.

    A new process starts first. Once it serves, the old one finishes what it computes and leaves. If
    the new one fails, the old one serves on.
    """
    from voxrelay.fleet import restart
    from voxrelay.relay import config as configuration

    restarted = restart.restart(configuration.load(), pools or [], note)
    if json_output:
        emit({"restarted": restarted})
    else:
        typer.echo(f"restarted {', '.join(restarted)}")


@explained
def ps(json_output: Json = False) -> None:
    """List the workers of the relay, here and on other machines."""
    _show(_rows(), json_output=json_output)


def _rows() -> list[dict[str, Any]]:
    """Join what workers say of themselves with what the supervisor of this machine knows."""
    from voxrelay.fleet import local
    from voxrelay.fleet.supervised import shared_supervisor
    from voxrelay.relay import config as configuration
    from voxrelay.relay import presence
    from voxrelay.relay.connect import client

    config = configuration.load()
    supervised = shared_supervisor(config)
    state = supervised.state() if supervised.alive else {}
    redis = local.running_redis(config)
    workers = presence.present(client(redis.jobs or "")) if redis else []
    rows: list[dict[str, Any]] = [{**worker.model_dump(), "state": "ready", "error": ""} for worker in workers]
    ready = {worker.process for worker in workers}
    for entry in state.get("pools", []):
        if entry["process"] not in ready:
            status = "failed" if entry["error"] else "starting"
            rows.append({"pool": entry["pool"], "process": entry["process"], "state": status, "error": entry["error"]})
    return rows


def _show(rows: list[dict[str, Any]], *, json_output: bool) -> None:
    if json_output:
        emit({"workers": rows})
        return
    if not rows:
        typer.echo("no workers; `vox up` starts them, `vox convert` does when needed")
        raise typer.Exit(Exit.OK)
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = ("pool", "state", "models", "environment", "host", "process", "error")
    for column in columns:
        table.add_column(column)
    for row in rows:
        cells = {**row, "models": ", ".join(row.get("models", []))}
        table.add_row(*(str(cells.get(column) or "") for column in columns))
    Console().print(table)
