"""Run a program of the checks room in its environment."""

import subprocess

from voxrelay.fleet import environments
from voxrelay.fleet.environments import Note
from voxrelay.relay.config import Config
from voxrelay.relay.errors import UnavailableError


def run(config: Config, module: str, *arguments: str, given: str, note: Note) -> str:
    """Run ``voxrelay.checks.MODULE``; the first run builds the environment.

    Args:
        config: the configuration in force.
        module: name within the room.
        arguments: of its command line.
        given: what it reads from standard input.
        note: is told what takes long.

    Returns:
        What it printed.

    Raises:
        UnavailableError: the environment could not be built, or the program failed.

    """
    environment = environments.find("checks")
    environments.ensure(config, [environment.name], note)
    done = subprocess.run(  # noqa: S603 - our own command
        [str(environment.python), "-P", "-m", f"voxrelay.checks.{module}", *arguments],
        env=environments.variables(environment, 1),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UnavailableError(environments.tail(done.stderr), where=f"voxrelay.checks.{module}")
    return done.stdout
