"""``vox config`` and ``vox doctor``: what is configured, and whether it can work."""

from typing import Annotated, Any

import typer

from voxrelay.cli.output import Json, emit, explained
from voxrelay.relay.errors import Exit, VoxError


@explained
def config(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of queues.yml instead.")] = False,
    json_output: Json = False,
) -> None:
    """Print the configuration as it is resolved: file, environment variables, defaults."""
    import yaml

    from voxrelay.relay import config as configuration

    if schema:
        emit(configuration.Config.model_json_schema())
        return
    resolved = configuration.load()
    data = {"file": str(configuration.config_file()), "contract": resolved.contract, **resolved.masked()}
    if json_output:
        emit(data)
    else:
        typer.echo(yaml.safe_dump(data, sort_keys=False).rstrip())


@explained
def doctor(json_output: Json = False) -> None:
    """Check everything a conversion needs on this machine and say what to do about what is missing."""
    findings = [_finding(name, check) for name, check in _checks().items()]
    healthy = all(finding["ok"] for finding in findings)
    if json_output:
        emit({"ok": healthy, "checks": findings})
    else:
        for finding in findings:
            typer.secho(f"{'ok ' if finding['ok'] else 'NO '} {finding['check']:<24}{finding['found']}")
    raise typer.Exit(Exit.OK if healthy else Exit.UNAVAILABLE)


def _finding(name: str, check: Any) -> dict[str, Any]:  # noqa: ANN401 - a callable
    try:
        return {"check": name, "ok": True, "found": check()}
    except VoxError as error:
        return {"check": name, "ok": False, "found": str(error)}


def _checks() -> dict[str, Any]:
    from voxrelay.fleet import environments, server
    from voxrelay.relay import config as configuration
    from voxrelay.relay import home
    from voxrelay.relay.connect import client
    from voxrelay.relay.errors import UnavailableError

    resolved = configuration.load()

    def redis() -> str:
        if not resolved.redis.shared:
            return f"private, {server.find_redis_server()}"
        for url in (resolved.redis.broker, resolved.redis.jobs, resolved.redis.tensors):
            client(url or "")
        return configuration.mask(resolved.redis.broker)

    def environment(name: str) -> str:
        found = environments.find(name)
        if not found.built:
            raise UnavailableError("is not built or out of date", where=str(found.folder), hint=f"vox env build {name}")
        return str(found.folder)

    needed = resolved.environments(resolved.chain_pools())
    return {
        "configuration": lambda: str(configuration.config_file()),
        "redis": redis,
        "model folder": lambda: str(home.models()),
        **{f"environment {name}": lambda name=name: environment(name) for name in needed},
    }
