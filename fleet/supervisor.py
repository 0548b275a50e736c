"""The supervisor: one process that owns the pools of this machine, and a private Redis if there is no other.

It keeps its state in one folder: ``lock`` is held while it lives (also through ``kill -9``, which
releases it), ``state.json`` says where Redis is and how the pools are, a file ``wanted/POOL`` asks
for a pool, and a file ``stay`` keeps it from ending when idle. Its children end when their standard
input closes, so nothing outlives it.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from voxrelay.fleet import environments
from voxrelay.fleet.server import start_redis
from voxrelay.relay import config as configuration
from voxrelay.relay import home, keys
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Client, client
from voxrelay.relay.errors import Exit, VoxError

TICK_SECONDS = 0.1
IDLE_TICKS = 20
STOP_SECONDS = 8
HOPELESS = 5
LOG_LIMIT = 5_000_000


@dataclass
class Child:
    """One worker process of a pool and its fate."""

    pool: str
    number: int
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    restart_at: float = 0.0
    error: str = ""

    @property
    def log(self) -> Path:
        """Where it writes."""
        return home.logs() / f"{self.pool}-{self.number}.log"

    def start(self, config: Config) -> None:
        """Start the process in its environment."""
        settings = config.pools[self.pool]
        environment = environments.find(settings.environment)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.unlink()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                environments.worker_command(environment, self.pool, "--end-with-stdin"),
                env=environments.variables(environment, settings.threads),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def watch(self, config: Config) -> None:
        """Start it again, later each time, when it has ended; give up when that is hopeless."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.process = None
            self.failures += 1
            self.restart_at = time.monotonic() + min(2.0**self.failures, 30) / 4
            explained = code in (Exit.BAD_CONFIG, Exit.UNAVAILABLE)
            if explained or self.failures >= HOPELESS:
                self.error = _last_line(self.log) or f"ended with code {code}"
        if self.process is None and not self.error and time.monotonic() >= self.restart_at:
            self.start(config)


@dataclass
class Supervisor:
    """Everything of one relay on this machine."""

    folder: Path
    config: Config
    idle: float | None
    used: float = field(default_factory=time.time)
    children: list[Child] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    server: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Serve until stopped, idle, or without the private Redis."""
        if not self.config.redis.shared:
            self.server, url = start_redis(self.folder)
            self.config = use_redis(self.config, url)
        jobs = client(self.config.redis.jobs or "")
        ticks = 0
        try:
            while not self.stopping.wait(TICK_SECONDS):
                self._start_wanted()
                for child in self.children:
                    child.watch(self.config)
                self._write_state()
                if self.server and self.server.poll() is not None:
                    return
                ticks += 1
                if self.idle and ticks % IDLE_TICKS == 0 and self._idles(jobs, self.idle):
                    return
        finally:
            self.stop()

    def stop(self) -> None:
        """End the pools, which finish what they compute, then Redis."""
        running = [child.process for child in self.children if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in [*running, *([self.server] if self.server else [])]:
            if process is self.server:
                process.terminate()
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _idles(self, jobs: Client, seconds: float) -> bool:
        """Whether nobody has used this relay for so long, nor asked with ``vox up`` that it stay."""
        self.used = max(self.used, _last_use(jobs))
        return time.time() - self.used > seconds and not (self.folder / "stay").exists()

    def _start_wanted(self) -> None:
        """Add the pools that were asked for; asking again for a failed one tries it again."""
        for request in (self.folder / "wanted").glob("*"):
            request.unlink(missing_ok=True)
            self.used = time.time()
            pool = request.name
            self.children = [child for child in self.children if child.pool != pool or not child.error]
            missing = range(sum(child.pool == pool for child in self.children), self.config.pools[pool].workers)
            self.children += [Child(pool, number) for number in missing]

    def _write_state(self) -> None:
        pools = [
            {
                "pool": child.pool,
                "process": child.process.pid if child.process else None,
                "restarts": child.failures,
                "error": child.error,
                "log": str(child.log),
            }
            for child in self.children
        ]
        state = {"process": os.getpid(), "redis": self.config.redis.model_dump(), "pools": pools}
        write_json(self.folder / "state.json", state)


def use_redis(config: Config, url: str) -> Config:
    """Return ``config`` with one Redis for everything, and say so to child processes."""
    os.environ["REDIS_URL"] = url
    for name in ("VOXRELAY_BROKER_URL", "VOXRELAY_JOBS_URL", "VOXRELAY_TENSORS_URL"):
        os.environ.pop(name, None)
    redis = configuration.Redis(broker=url, jobs=url, tensors=url)
    return config.model_copy(update={"redis": redis})


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write a file that readers see whole or not at all, and only when it changes."""
    text = json.dumps(data)
    if path.exists() and path.read_text() == text:
        return
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def _last_use(jobs: Client) -> float:
    """Return when a job was last submitted or worked on."""
    times = [jobs.hget(keys.job(job.decode()), "updated") for job in jobs.zrange(keys.ACTIVE, 0, -1)]
    return max((float(moment) for moment in times if moment), default=0.0)


def _last_line(log: Path) -> str:
    """Return the end of a log."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].removeprefix("error: ") if lines else ""


def _end_with_stdin(supervisor: Supervisor) -> None:
    while os.read(0, 1024):
        pass
    supervisor.stopping.set()


def _take(lock: TextIO) -> bool:
    """Lock for good; a command that looks whether we live holds the lock for a moment, too."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(TICK_SECONDS)
        else:
            return True
    return False


def main(folder: Path, *, cold: bool) -> int:
    """Run a supervisor for ``folder``: until standard input closes if ``cold``, else until it is idle."""
    (folder / "wanted").mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        if not _take(lock):
            return Exit.OK  # another one was faster
        config = configuration.load()
        supervisor = Supervisor(folder, config, idle=None if cold else config.timeouts.idle)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            supervisor.stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if cold:
            threading.Thread(target=_end_with_stdin, args=(supervisor,), daemon=True).start()
        try:
            supervisor.run()
        except VoxError as error:
            write_json(folder / "state.json", {"error": str(error)})
            sys.stderr.write(f"error: {error}\n")
            return int(error.exit_code)
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), cold="--cold" in sys.argv))
