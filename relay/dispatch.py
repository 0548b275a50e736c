"""Dispatch: which unit of which job is released when, and who has it.

A unit is one window or one reference of a job. What is still to be done stands in the job's record;
a Celery message is only a hint that can be sent again. Units that were released are *in flight*
until their last stage is done; a worker that has one holds its *lease*. A unit that is overdue and
has no live lease is released again: that covers a dead worker, a lost queue and a delayed retry.

The scripts are atomic and run in the store of jobs. Units in flight are bounded, and jobs take turns.
"""

import random
import time
from dataclasses import dataclass
from typing import cast

from celery import Celery

from voxrelay.relay import keys
from voxrelay.relay.config import Config
from voxrelay.relay.connect import Client
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Manifest, Part
from voxrelay.relay.ledger import Ledger
from voxrelay.relay.queue import send

# Take turns over the jobs; each gives a reference, or once all are prepared a window, while there is room.
_RELEASE = """
local rota, flight = KEYS[1], KEYS[2]
local due, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local out, idle = {}, 0
while redis.call('ZCARD', flight) < room and idle < redis.call('LLEN', rota) do
  local id = redis.call('LMOVE', rota, rota, 'LEFT', 'RIGHT')
  local job = 'vox:job:' .. id
  local state = redis.call('HMGET', job, 'state', 'references_left', 'next', 'windows')
  local unit = nil
  if state[1] ~= 'running' then
    redis.call('LREM', rota, 0, id)
  else
    local reference = redis.call('LPOP', job .. ':references')
    if reference then
      unit = id .. '|reference|' .. reference
    elseif tonumber(state[2]) == 0 then
      if tonumber(state[3]) < tonumber(state[4]) then
        unit = id .. '|window|' .. state[3]
        redis.call('HINCRBY', job, 'next', 1)
      else
        redis.call('LREM', rota, 0, id)
      end
    end
  end
  if unit then
    redis.call('ZADD', flight, due, unit)
    out[#out + 1] = unit
    idle = 0
  else
    idle = idle + 1
  end
end
return out
"""

# Take the lease of a unit: 1, or 0 if it is not in flight or another worker has it.
_TAKE = """
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'EX', ARGV[3]) then return 0 end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[4])
return 1
"""

# Land a unit, once: it is in flight no more, and its job has one less to wait for.
_LAND = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return end
redis.call('DEL', KEYS[3])
redis.call('HDEL', KEYS[4], ARGV[1])
if redis.call('HINCRBY', KEYS[2], ARGV[2], -1) == 0 and ARGV[2] == 'windows_left' then
  redis.call('HSET', KEYS[2], 'state', 'done')
end
"""

# Pick the units that are overdue and that nobody holds, and give each a new due time.
_OVERDUE = """
local out = {}
for _, unit in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])) do
  if redis.call('EXISTS', 'vox:lease:' .. unit) == 0 then
    redis.call('ZADD', KEYS[1], ARGV[2], unit)
    out[#out + 1] = unit
  end
end
return out
"""


@dataclass(frozen=True)
class UnitId:
    """One window or reference of one job."""

    job: str
    part: Part
    index: int

    def __str__(self) -> str:
        return f"{self.job}|{self.part}|{self.index}"

    @classmethod
    def parse(cls, raw: bytes) -> "UnitId":
        """Read what ``str`` wrote."""
        job, part, index = raw.decode().split("|")
        return cls(job, cast("Part", part), int(index))


class Dispatch:
    """Releases units and keeps track of them; producer and workers share what it writes."""

    def __init__(self, jobs: Client, app: Celery, config: Config) -> None:
        self.jobs, self.app, self.config = jobs, app, config
        self.ledger = Ledger(jobs, config)
        self._release, self._take, self._land, self._overdue = (
            jobs.register_script(script) for script in (_RELEASE, _TAKE, _LAND, _OVERDUE)
        )

    def open(self, manifest: Manifest, missing: list[int]) -> None:
        """Write a new job, in one transaction, and let it take its turn.

        Args:
            manifest: the job.
            missing: its references that are not prepared yet.

        """
        pipe = self.jobs.pipeline()
        counts = {"windows": len(manifest.windows), "next": 0}
        counts |= {"windows_left": len(manifest.windows), "references_left": len(missing)}
        self.ledger.open(pipe, manifest, counts)
        if missing:
            pipe.rpush(keys.references(manifest.id), *missing)
            pipe.expire(keys.references(manifest.id), self.config.lifetimes.jobs)
        pipe.rpush(keys.ROTA, manifest.id)
        pipe.execute()
        self.release()

    def release(self) -> None:
        """Release as many units as there is room for, jobs in turn."""
        due = time.time() + self.config.timeouts.patience
        found = self._release(keys=[keys.ROTA, keys.FLIGHT], args=[due, self.config.limits.in_flight])
        for raw in found:
            self._send(UnitId.parse(raw))

    def take(self, unit: UnitId, holder: str) -> bool:
        """Take the lease of a unit; a message whose unit has landed or is held by another is to be dropped."""
        names = [keys.FLIGHT, keys.lease(str(unit)), keys.taken(unit.job)]
        seconds = [self.config.timeouts.lease, self.config.lifetimes.jobs]
        return bool(self._take(keys=names, args=[str(unit), holder, *seconds]))

    def renew(self, units: list[UnitId]) -> None:
        """Renew leases."""
        pipe = self.jobs.pipeline()
        for unit in units:
            pipe.expire(keys.lease(str(unit)), self.config.timeouts.lease)
        pipe.execute()

    def pass_on(self, unit: UnitId) -> None:
        """Give a unit's lease up after a stage: the next one has the usual patience to take it."""
        self._wait(unit, self.config.timeouts.patience)

    def land(self, unit: UnitId) -> None:
        """Note that a unit's last stage is done, and release others."""
        left = f"{unit.part}s_left"
        names = [keys.FLIGHT, keys.job(unit.job), keys.lease(str(unit)), keys.taken(unit.job)]
        self._land(keys=names, args=[str(unit), left])
        self.release()

    def fail(self, unit: UnitId, error: str) -> None:
        """Count a failure of a unit; it is released again after a time that grows and is spread, or given up."""
        if failures := self._forgive(unit, error):
            self._wait(unit, random.uniform(0.5, 1.0) * 2.0 ** (failures - 1) / 2)  # noqa: S311 - spreads load

    def reconcile(self) -> list[UnitId]:
        """Release overdue units again, and whatever else there is room for; returns the overdue ones."""
        now = time.time()
        found = self._overdue(keys=[keys.FLIGHT], args=[now, now + self.config.timeouts.patience])
        units = [UnitId.parse(raw) for raw in found]
        for unit in units:
            if self.ledger.state(unit.job) != "running":
                self.jobs.zrem(keys.FLIGHT, str(unit))
            elif self._worth_sending(unit):
                self._send(unit)
        self.release()
        return units

    def end(self, manifest: Manifest) -> None:
        """Take all units of a job out of flight."""
        units = [UnitId(manifest.id, "window", i) for i in range(len(manifest.windows))]
        units += [UnitId(manifest.id, "reference", i) for i in range(len(manifest.references))]
        pipe = self.jobs.pipeline()
        pipe.zrem(keys.FLIGHT, *map(str, units))
        pipe.lrem(keys.ROTA, 0, manifest.id)
        pipe.delete(*(keys.lease(str(unit)) for unit in units))
        pipe.delete(keys.references(manifest.id), keys.taken(manifest.id), keys.failures(manifest.id))
        pipe.execute()
        self.release()

    def _worth_sending(self, unit: UnitId) -> bool:
        """Whether an overdue unit is sent again: a worker that took it and never gave it up has died with it."""
        holder = self.jobs.hget(keys.taken(unit.job), str(unit))
        if not self.jobs.hdel(keys.taken(unit.job), str(unit)):
            return True
        return bool(self._forgive(unit, f"its worker died, last {(holder or b'').decode()}"))

    def _forgive(self, unit: UnitId, error: str) -> int:
        """Count a failure and return how many there were; 0 if they are too many and the job has failed."""
        failures = int(self.jobs.hincrby(keys.failures(unit.job), str(unit), 1))
        self.jobs.expire(keys.failures(unit.job), self.config.lifetimes.jobs)
        if failures < self.config.limits.failures:
            return failures
        self.jobs.zrem(keys.FLIGHT, str(unit))
        self.ledger.fail(unit.job, StageError(error, where=f"{unit.part} {unit.index}"))
        return 0

    def _wait(self, unit: UnitId, seconds: float) -> None:
        pipe = self.jobs.pipeline()
        pipe.zadd(keys.FLIGHT, {str(unit): time.time() + seconds}, xx=True)
        pipe.delete(keys.lease(str(unit)))
        pipe.hdel(keys.taken(unit.job), str(unit))
        pipe.execute()

    def _send(self, unit: UnitId) -> None:
        send(self.app, self.ledger.manifest(unit.job), unit.part, unit.index)
