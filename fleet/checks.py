"""Run a program of the checks room in an environment of its own."""

import subprocess
import tempfile
from collections.abc import Callable

from voxrelay.fleet import environments
from voxrelay.fleet.environments import Note
from voxrelay.relay.config import Config
from voxrelay.relay.errors import UnavailableError

OnLine = Callable[[str], None]


def run(
    config: Config,
    module: str,
    *arguments: str,
    given: str = "",
    note: Note,
    environment: str = "checks",
    on_line: OnLine | None = None,
) -> str:
    """Run ``voxrelay.checks.MODULE``; the first run builds the environment.

    Args:
        config: the configuration in force.
        module: name within the room.
        arguments: of its command line.
        given: what it reads from standard input.
        note: is told what takes long.
        environment: that it runs in.
        on_line: is told every line that it prints, as it does.

    Returns:
        What it printed.

    Raises:
        UnavailableError: the environment could not be built, or the program failed.

    """
    found = environments.find(environment)
    environments.ensure(config, [found.name], note)
    with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+") as complaints:
        asked.write(given)
        asked.seek(0)
        process = subprocess.Popen(  # noqa: S603 - our own command
            [str(found.python), "-P", "-m", f"voxrelay.checks.{module}", *arguments],
            env=environments.variables(found, 1),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        with process:
            try:
                printed = _listen(process, on_line)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            complaints.seek(0)
            raise UnavailableError(environments.tail(complaints.read()), where=f"voxrelay.checks.{module}")
    return printed


def _listen(process: subprocess.Popen[str], on_line: OnLine | None) -> str:
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if on_line:
            on_line(line.rstrip("\n"))
    return "".join(lines)
