"""One worker process that the supervisor keeps."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voxrelay.fleet import environments, gpus
from voxrelay.relay import health, home
from voxrelay.relay.config import Config
from voxrelay.relay.errors import Exit

HOPELESS = 5
LOG_LIMIT = 5_000_000


@dataclass
class Child:
    """One worker process of a pool and its fate; ``failures`` are those in a row, before it served.

    ``gpu`` is the only one that it sees; empty: it sees what we see.
    """

    pool: str
    number: int
    gpu: str = ""
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    restarts: int = 0
    restart_at: float = 0.0
    error: str = ""

    @property
    def log(self) -> Path:
        """Where it writes."""
        return home.logs() / f"{self.pool}-{self.number}.log"

    @property
    def pid(self) -> int | None:
        """Its process, if it has one."""
        return self.process.pid if self.process else None

    @property
    def ended(self) -> bool:
        """Whether it has no process that runs."""
        return self.process is None or self.process.poll() is not None

    def reason(self) -> str:
        """Return the last that it wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        if not lines:
            return ""
        with contextlib.suppress(ValueError, KeyError, TypeError):  # unless VOXRELAY_LOG=json
            return str(json.loads(lines[-1])["message"])
        return lines[-1].removeprefix("error: ")

    def leave(self) -> None:
        """Tell it to finish what it computes, take nothing else, and end."""
        if self.process:
            self.process.terminate()

    def end(self, seconds: float) -> None:
        """Wait so long for its end, then kill it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start(self, config: Config) -> None:
        """Start the process in its environment."""
        settings = config.pools[self.pool]
        environment = environments.find(settings.environment)
        variables = environments.variables(environment, settings.threads)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.unlink()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                environments.worker_command(environment, self.pool, "--end-with-stdin"),
                env={**variables, gpus.VARIABLE: self.gpu} if self.gpu else variables,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def watch(self, config: Config) -> None:
        """Start it again, later each time, when it has ended; give up when that is hopeless."""
        if self.process is not None and (code := self.process.poll()) is not None:
            served = health.forget(self.pool, self.process.pid)
            self.process = None
            self.restarts += 1
            self.failures = 1 if served else self.failures + 1
            self.restart_at = time.monotonic() + min(2.0**self.failures, 30) / 4
            explained = code in (Exit.BAD_CONFIG, Exit.UNAVAILABLE)
            if explained or self.failures >= HOPELESS:
                self.error = self.reason() or f"ended with code {code}"
        if self.process is None and not self.error and time.monotonic() >= self.restart_at:
            self.start(config)


def free_number(pool: str, children: Iterable[Child]) -> int:
    """Return the lowest number that no child of a pool has."""
    taken = {child.number for child in children if child.pool == pool}
    return min(set(range(len(taken) + 1)) - taken)
