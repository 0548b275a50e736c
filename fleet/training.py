"""Training runs in an environment of its own, as a program of its own."""

import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxrelay.fleet import environments
from voxrelay.fleet.environments import Note
from voxrelay.relay import config as configuration
from voxrelay.relay.errors import StageError

_CURVE = "curve.jsonl"
_OWN = "contentvec-lite"


def run(arguments: Sequence[str], threads: int, note: Note, content: str | None = None) -> None:
    """Run the training room's program to its end; what it says goes where ours goes.

    Interrupted, it is told to end, which leaves a checkpoint.

    Args:
        arguments: of the program.
        threads: of each process on a CPU.
        note: is told what takes long.
        content: the content model that an acoustic model is trained on, in its own environment; None: contentvec-lite,
            which training has.

    Raises:
        StageError: it failed; it has said why.
        BadConfigError: there is no such content model.

    """
    config, environment = configuration.load(), environments.find("training")
    environments.ensure(config, [environment.name], note)
    command = [str(environment.python), "-P", "-m", "voxrelay.training", *arguments, "--threads", str(threads)]
    if content and content != _OWN:
        other = environments.find(config.pools[config.model("content", content).pool].environment)
        environments.ensure(config, [other.name], note)
        command += ["--content", content, "--python", str(other.python)]
    program = subprocess.Popen(command, env=environments.variables(environment, threads))  # noqa: S603 - our own
    try:
        code = program.wait()
    except KeyboardInterrupt:
        program.send_signal(signal.SIGTERM)
        program.wait()
        raise
    if code:
        raise StageError(f"training ended with code {code}", hint="its last line says why")


def standing(out: Path) -> dict[str, Any]:
    """Say how far a run is: its last records of losses and of held-back speakers."""
    records = [json.loads(line) for line in (out / _CURVE).read_text(encoding="utf-8").splitlines()]
    found: dict[str, Any] = {"step": records[-1]["step"]}
    for record in records:
        found |= {"held_back": record["held_back"]} if "held_back" in record else {"losses": record}
    return found
