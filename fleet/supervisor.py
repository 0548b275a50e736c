"""The supervisor: one process that owns the pools of this machine, and a private Redis if there is no other.

It keeps its state in one folder: ``lock`` is held while it lives (also through ``kill -9``, which
releases it), ``state.json`` says where Redis is and how the pools are, a file ``wanted/POOL`` asks
for a pool, ``restart/POOL`` for new processes in place of the old, ``scale/POOL`` for as many as it
says, a file ``stay`` keeps it from ending when idle, and the time of ``used`` is when a command last
waited for it. Its children end when their standard input closes, so nothing outlives it.

A private Redis is two servers: one keeps the jobs on the disk, in a folder that outlives the relay
while it holds any; the other holds messages and tensors, which can be made again. A relay for a
single command has one server that keeps nothing.
"""

import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import redis

from voxrelay.fleet import gpus
from voxrelay.fleet.child import Child, free_number
from voxrelay.fleet.rolling import Rolling
from voxrelay.fleet.server import Server
from voxrelay.fleet.store import Store
from voxrelay.fleet.supervised import STOP_SECONDS, store_folder
from voxrelay.relay import config as configuration
from voxrelay.relay import keys
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Client, client
from voxrelay.relay.errors import Exit, VoxError

TICK_SECONDS = 0.1
IDLE_TICKS = 20


@dataclass(frozen=True)
class Leaving:
    """A worker that finishes what it computes, and until when it may."""

    child: Child
    deadline: float

    def over(self) -> bool:
        """Whether it has ended; one that is stuck is killed."""
        if not self.child.ended and time.monotonic() > self.deadline:
            self.child.end(0)
        return self.child.ended


@dataclass
class Supervisor:
    """Everything of one relay on this machine."""

    folder: Path
    config: Config
    idle: float | None
    used: float = field(default_factory=time.time)
    children: list[Child] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    restarts: dict[str, Rolling] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    leaving: list[Leaving] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Serve until stopped or idle.

        Raises:
            UnavailableError: Redis does not come up, or not again after it had ended.

        """
        try:
            if not self.config.redis.shared:
                self._start_redis()
            jobs = client(self.config.redis.jobs or "")
            ticks = 0
            while not self.stopping.wait(TICK_SECONDS):
                for server in self.servers:
                    server.watch()
                self._start_wanted()
                self._scale()
                for child in self.children:
                    child.watch(self.config)
                self._restart(jobs)
                self._write_state()
                ticks += 1
                if self.idle and ticks % IDLE_TICKS == 0 and self._idles(jobs, self.idle):
                    return
        finally:
            self.stop()

    def stop(self) -> None:
        """End the pools, which finish what they compute, then Redis; its data stay while there are jobs."""
        coming = (child for rolling in self.restarts.values() for child in rolling.extra)
        workers = [*self.children, *coming, *(one.child for one in self.leaving)]
        for child in workers:
            child.leave()
        deadline = time.monotonic() + STOP_SECONDS
        for child in workers:
            child.end(deadline - time.monotonic())
        for server in self.servers:
            holds = server.store is None or _holds_jobs(server.url)
            server.stop()
            if server.store and not holds:
                server.store.remove()

    def _start_redis(self) -> None:
        """Start the private Redis; for a single command it is one server that keeps nothing."""
        self.servers = [Server("redis", self.folder)]
        if self.idle:
            self.servers.append(Server("jobs", self.folder, Store.take(store_folder(self.config))))
        for server in self.servers:
            server.start()
        self.config = use_redis(self.config, rest=self.servers[0].url, jobs=self.servers[-1].url)

    def _idles(self, jobs: Client, seconds: float) -> bool:
        """Whether nobody has used this relay for so long, nor asked with ``vox up`` that it stay."""
        try:
            asked = (self.folder / "used").stat().st_mtime if (self.folder / "used").exists() else 0.0
            self.used = max(self.used, asked, _last_use(jobs))
        except redis.RedisError:
            return False
        return time.time() - self.used > seconds and not (self.folder / "stay").exists()

    def _start_wanted(self) -> None:
        """Add the pools that were asked for; asking again for a failed one tries it again."""
        for request in (self.folder / "wanted").glob("*"):
            request.unlink(missing_ok=True)
            self.used = time.time()
            pool = request.name
            self._fit(pool, self.sizes.get(pool, self.config.pools[pool].workers))

    def _scale(self) -> None:
        """Give pools the number of workers that was asked for; see that those who leave do."""
        for request in (self.folder / "scale").glob("*"):
            pool = request.name
            if not any(rolling.pool == pool and not rolling.over for rolling in self.restarts.values()):
                self.sizes[pool] = int(request.read_text())
                request.unlink()
                self.used = time.time()
                self._fit(pool, self.sizes[pool])
        self.leaving = [one for one in self.leaving if not one.over()]

    def _fit(self, pool: str, size: int) -> None:
        """Add workers to a pool, or let go of the newest; those that have failed are tried again."""
        self.children = [child for child in self.children if child.pool != pool or not child.error]
        mine = [child for child in self.children if child.pool == pool]
        for _ in range(len(mine), size):
            self.children.append(Child(pool, free_number(pool, self.children), self._gpu(pool)))
        for child in mine[size:]:
            self.children.remove(child)
            child.leave()
            if not child.ended:
                self.leaving.append(Leaving(child, time.monotonic() + self.config.timeouts.stuck))

    def _gpu(self, pool: str) -> str:
        """Return the GPU of one more worker; empty if its pool computes elsewhere, or says on which."""
        if self.config.pools[pool].device != "auto":
            return ""
        mine = [child.gpu for child in self.children if child.pool == pool]
        return gpus.deal(gpus.seen(), mine, [child.gpu for child in self.children])

    def _restart(self, jobs: Client) -> None:
        """Go on with the restart that is under way, or begin the next that was asked for."""
        if current := next((rolling for rolling in self.restarts.values() if not rolling.over), None):
            current.step(self.config, jobs, self.children)
        elif request := min((self.folder / "restart").glob("*"), key=lambda path: path.stat().st_mtime, default=None):
            mine = [child for child in self.children if child.pool == request.name]
            self.restarts[request.name] = Rolling(request.name, request.read_text(), mine)
            request.unlink()
            self.used = time.time()

    def _write_state(self) -> None:
        pools = [
            {
                "pool": child.pool,
                "process": child.pid,
                "restarts": child.restarts,
                "error": child.error,
                "log": str(child.log),
            }
            for child in self.children
        ]
        state = {
            "process": os.getpid(),
            "redis": self.config.redis.model_dump(),
            "pools": pools,
            "restarts": {pool: rolling.report() for pool, rolling in self.restarts.items()},
            "sizes": self.sizes,
            "leaving": [{"pool": one.child.pool, "process": one.child.pid} for one in self.leaving],
        }
        write_json(self.folder / "state.json", state)


def use_redis(config: Config, *, rest: str, jobs: str) -> Config:
    """Return ``config`` with its private Redis, and say so to child processes."""
    os.environ.pop("REDIS_URL", None)
    os.environ |= {"VOXRELAY_BROKER_URL": rest, "VOXRELAY_JOBS_URL": jobs, "VOXRELAY_TENSORS_URL": rest}
    urls = configuration.Redis(broker=rest, jobs=jobs, tensors=rest)
    return config.model_copy(update={"redis": urls})


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


def _holds_jobs(url: str) -> bool:
    """Whether there is a record of any job; a server that does not answer may have one."""
    try:
        return any(True for _ in client(url).scan_iter(match=keys.job("*"), count=1000))
    except (VoxError, redis.RedisError):
        return True


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


def _clear(folder: Path) -> None:
    """Remove the folder at once for whoever looks, then what was in it."""
    gone = folder.with_name(f"{folder.name}.{os.getpid()}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def main(folder: Path, *, cold: bool) -> int:
    """Run a supervisor for ``folder``: until standard input closes if ``cold``, else until it is idle."""
    (folder / "wanted").mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        if not _take(lock):
            return Exit.OK  # another one was faster
        (folder / "stay").unlink(missing_ok=True)  # of one that was killed
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
        _clear(folder)
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), cold="--cold" in sys.argv))
