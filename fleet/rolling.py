"""A rolling restart: worker by worker, a new process is there before the old one finishes and leaves."""

import socket
import time
from dataclasses import dataclass, field

import redis

from voxrelay.fleet.child import Child, free_number
from voxrelay.relay import presence
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Client


@dataclass
class Rolling:
    """The restart of one pool, a step at a time; ``lines`` say what happened."""

    pool: str
    asked: str
    old: list[Child]
    new: Child | None = None
    leaving: Child | None = None
    deadline: float = 0.0
    lines: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return bool(self.error) or not (self.old or self.new or self.leaving)

    def step(self, config: Config, jobs: Client, children: list[Child]) -> None:
        """Do what is due; ``children`` of the supervisor are exchanged in place."""
        if self.leaving:
            self._wait_for_the_end(self.leaving)
        elif self.new:
            self._wait_for_presence(self.new, config, jobs, children)
        elif self.old:
            self.new = Child(self.pool, free_number(self.pool, children), self.old[0].gpu)
            self.new.start(config)
            self.deadline = time.monotonic() + config.timeouts.start
            self._say(f"process {self.new.pid} starts in place of {self.old[0].pid}")

    @property
    def extra(self) -> list[Child]:
        """Workers that come or go, which the supervisor does not count among its own."""
        return [child for child in (self.new, self.leaving) if child]

    def report(self) -> dict[str, str | bool | list[str]]:
        """Return what whoever asked is told."""
        return {"asked": self.asked, "lines": self.lines, "over": self.over, "error": self.error}

    def _wait_for_presence(self, new: Child, config: Config, jobs: Client, children: list[Child]) -> None:
        if new.ended:
            self._give_up(new, new.reason())
        elif _present(new, jobs):
            self.new, self.leaving = None, self.old.pop(0)
            children[children.index(self.leaving)] = new
            self.leaving.leave()
            self.deadline = time.monotonic() + config.timeouts.stuck
            self._say(f"process {new.pid} is there; {self.leaving.pid} finishes what it computes")
        elif time.monotonic() > self.deadline:
            self._give_up(new, f"process {new.pid} is not ready in time")

    def _wait_for_the_end(self, leaving: Child) -> None:
        if leaving.ended:
            self._say(f"process {leaving.pid} has left")
            self.leaving = None
        elif time.monotonic() > self.deadline:
            self._say(f"process {leaving.pid} is stuck and is killed")
            leaving.end(0)

    def _give_up(self, new: Child, reason: str) -> None:
        new.end(0)
        self.new, self.error = None, f"{reason} (see {new.log}); the old process serves on"

    def _say(self, line: str) -> None:
        self.lines.append(f"{self.pool}: {line}")


def _present(child: Child, jobs: Client) -> bool:
    try:
        there = presence.present(jobs)
    except redis.RedisError:
        return False
    return any((worker.host, worker.process) == (socket.gethostname(), child.pid) for worker in there)
