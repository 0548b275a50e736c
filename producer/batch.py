"""A batch: many conversions through the queue, a bounded number of them in flight, gone on with when interrupted."""

import functools
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import redis

from voxrelay.producer import asked
from voxrelay.producer.collect import PATIENCE_SECONDS, check_served
from voxrelay.producer.conversion import Conversion
from voxrelay.producer.journal import Entry, Journal, inode
from voxrelay.producer.output import check_writable, settled
from voxrelay.producer.partial import Partial
from voxrelay.producer.plan import Plan, make_chain, plan_conversion
from voxrelay.producer.rows import Row
from voxrelay.producer.session import Session
from voxrelay.producer.standing import Ended, Standing, Tally
from voxrelay.producer.submit import submit
from voxrelay.producer.voice import TargetVoice
from voxrelay.relay import keys
from voxrelay.relay.config import STAGES, Config
from voxrelay.relay.dispatch import FIRST_ROOM
from voxrelay.relay.errors import RefusedError, UnavailableError, VoxError
from voxrelay.relay.job import Link

OnStanding = Callable[[Standing], None]
# Jobs of a batch in flight: enough that workers always find a window, few enough for any client and Redis.
MOST_JOBS = 256
_WINDOWS_A_PLACE = 4
_AT_A_TIME = 8  # jobs that are submitted before what is done is looked at
_LISTEN_SECONDS = 1.0
_REFUSED_SECONDS = 2.0
_VOICES = 2  # voices whose sound is held
RECORDS = 1000  # records of fetched jobs that are kept: ten thousand would fill a small Redis


@dataclass(frozen=True)
class Outcome:
    """What became of a row; ``before``: an earlier run had converted it."""

    row: Row
    state: Ended
    job: str = ""
    seconds: float = 0.0
    error: str = ""


@dataclass
class _Flight:
    """A job in flight; ``last``: the last of its events that was seen."""

    row: Row
    entry: Entry
    conversion: Conversion
    last: bytes = b"0"


@dataclass(frozen=True)
class _Held:
    """A row that is ready to be submitted."""

    row: Row
    entry: Entry
    plan: Plan


@dataclass
class Batch:
    """Converts rows; what an earlier run has done is not done again, and what it had begun is gone on with."""

    session: Session
    journal: Journal
    rows: Sequence[Row]
    on_standing: OnStanding
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.session.config
        self._left = deque(self.rows)
        self._held: _Held | None = None
        self._flying: dict[str, _Flight] = {}
        self._fetched: deque[str] = deque()
        self._tally = Tally(self.rows, self.config)
        self._stamps = functools.cache(asked.stamp)
        self._voice = functools.lru_cache(_VOICES)(self._read_voice)
        self._heard = time.monotonic()

    @property
    def ordered(self) -> list[Outcome]:
        """What became of the rows so far, in their order."""
        place = {row.output: number for number, row in enumerate(self.rows)}
        return sorted(self.outcomes, key=lambda outcome: place[outcome.row.output])

    def run(self) -> None:
        """Convert all rows.

        Raises:
            UnavailableError: Redis or a pool is gone; the same batch goes on.

        """
        try:
            while self._left or self._held or self._flying:
                more = self._fill()
                self.on_standing(self._tally.standing())
                self._collect(self._listen(0.001 if more else _LISTEN_SECONDS))
        except redis.RedisError as error:
            hint = "what was accepted is not lost: the same command goes on"
            raise UnavailableError(f"Redis does not answer any more ({error})", hint=hint) from error
        except KeyboardInterrupt:
            for job in self._flying:
                self.session.dispatch.pause(job)
            raise
        self.on_standing(self._tally.standing())

    def _fill(self) -> bool:
        """Submit some jobs if there is room for them; whether there is room for more."""
        for _ in range(_AT_A_TIME):
            if not self._has_room():
                return False
            self._held = self._held or self._next()
            if self._held is None:
                return False
            try:
                self._submit(self._held)
            except RefusedError as error:
                self._wait_for_room(self._held, error)
                return False
            self._held = None
        return True

    def _has_room(self) -> bool:
        """Whether another job may be in flight: as many windows as keep all workers busy for a while are not yet."""
        if not self._flying:
            return True
        windows = sum(len(flight.conversion.manifest.windows) for flight in self._flying.values())
        places = int(self.session.stores.jobs.get(keys.ROOM) or FIRST_ROOM)
        return len(self._flying) < MOST_JOBS and windows < _WINDOWS_A_PLACE * places

    def _wait_for_room(self, held: _Held, error: RefusedError) -> None:
        """Try again when something has ended, ours or others'; if nothing runs at all, it never will fit."""
        if self._flying:
            return
        if self.session.stores.jobs.zcard(keys.ACTIVE):
            time.sleep(_REFUSED_SECONDS)
        else:
            self._held = None
            self._fail(held.row, error)

    def _next(self) -> _Held | None:
        """Take rows until one is to be submitted: others are done, fail, or have a job already."""
        while self._left:
            row = self._left.popleft()
            try:
                if held := self._begin(row):
                    return held
            except UnavailableError:
                raise
            except VoxError as error:
                self._fail(row, error)
        return None

    def _begin(self, row: Row) -> _Held | None:
        wanted = self._asked(row)
        entry = self.journal.find(row.output)
        if entry and self._went_on(row, entry, wanted):
            return None
        plan = plan_conversion(self.config, row.source, self._voice(row.voice), row.options.models,
                               allow_gaps=row.options.allow_gaps, transpose=row.options.transpose,
                               similarity=row.options.similarity)  # fmt: skip
        row.output.parent.mkdir(parents=True, exist_ok=True)
        check_writable(row.output)
        seconds = plan.recording.seconds if plan.recording else 0.0
        output = settled(row.output)
        fresh = Entry(output=str(output), asked=wanted, job=plan.manifest.id, before=inode(output), seconds=seconds)
        return _Held(row, fresh, plan)

    def _went_on(self, row: Row, entry: Entry, wanted: str) -> bool:
        """Go on with what an earlier run has begun for a row; whether it had."""
        same = entry.asked == wanted
        if same and entry.appeared:
            if not entry.done:  # it was interrupted just then
                self._finish_for(row, entry)
            self._settle(Outcome(row, "before", entry.job, entry.seconds))
            return True
        state = self.session.ledger.state(entry.job) if not entry.done else ""
        if same and state in ("running", "paused", "done"):
            conversion = Conversion(self.session, entry.job)
            conversion.resume()
            self._launch(_Flight(row, entry, conversion))
            for ended in self.session.ledger.done(entry.job):
                self._tally.count(entry.job, *ended)
            return True
        if state in ("running", "paused", "done", "failed"):
            self.session.dispatch.end(entry.job, "cancelled")
        return False

    def _finish_for(self, row: Row, entry: Entry) -> None:
        """Do what was left to be done after an output had appeared."""
        with Partial.open(row.output, "") as partial:
            partial.discard()
        if self.session.ledger.state(entry.job):
            self.session.dispatch.end(entry.job, "collected")
        self.journal.write(entry.model_copy(update={"done": True}))

    def _submit(self, held: _Held) -> None:
        """Have a job accepted; its id is written down before, so that it is found whatever happens."""
        manifest = held.plan.manifest
        self.journal.write(held.entry)
        submit(self.session, manifest, sounds=held.plan.sounds(), clips=held.plan.clips, prepared=held.plan.prepared)
        for note in held.plan.notes:
            self.session.ledger.say(manifest.id, note)
        self._launch(_Flight(held.row, held.entry, Conversion(self.session, manifest.id, held.plan.notes)))

    def _launch(self, flight: _Flight) -> None:
        job = flight.conversion.job
        self._flying[job] = flight
        self._tally.launch(flight.row, flight.conversion.manifest)

    def _listen(self, seconds: float) -> set[str]:
        """Wait for any stage to end on anything; returns the jobs that may have ended, all of them if nothing did."""
        streams = {keys.events(job): flight.last for job, flight in self._flying.items()}
        if not streams:
            return set()
        found = self.session.stores.jobs.xread(streams, block=max(1, round(1000 * seconds)), count=256)
        jobs = {keys.events(job).encode(): job for job in self._flying}
        ended = set()
        for stream, entries in found:
            job = jobs[stream]
            self._flying[job].last = entries[-1][0]
            for _, fields in entries:
                if not fields[b"error"]:
                    self._tally.count_event(job, fields)
                if fields[b"error"] or fields[b"stage"] == b"vocoder":
                    ended.add(job)
        self._check_alive(heard=bool(found))
        return ended if found else set(self._flying)

    def _check_alive(self, *, heard: bool) -> None:
        """Give up when nothing happens and a pool has no worker."""
        if heard:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > PATIENCE_SECONDS:
            for job, flight in self._flying.items():
                check_served(self.session, flight.conversion.manifest.chain, job)

    def _collect(self, jobs: Iterable[str]) -> None:
        """Fetch those that have ended."""
        for job in jobs:
            if self.session.ledger.state(job) in ("running", "paused"):
                continue
            flight = self._flying[job]
            try:
                flight.conversion.save(flight.row.output)
            except UnavailableError:
                raise
            except VoxError as error:
                self._fail(flight.row, error, flight.entry)
            else:
                self.journal.write(flight.entry.model_copy(update={"done": True}))
                self._settle(Outcome(flight.row, "done", job, flight.entry.seconds))
                self._fetched.append(job)
            del self._flying[job]
            self._tally.land(job)
        while len(self._fetched) > RECORDS:
            self.session.ledger.forget(self._fetched.popleft())

    def _fail(self, row: Row, error: VoxError, entry: Entry | None = None) -> None:
        self._settle(Outcome(row, "failed", entry.job if entry else "", entry.seconds if entry else 0.0, str(error)))

    def _settle(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._tally.settle(outcome.row, outcome.state, outcome.seconds)

    def _asked(self, row: Row) -> str:
        """Hash all that decides what an output holds, as it can be told without reading the recordings."""
        options = row.options
        links = [(link.stage, link.model) for link in make_chain(self.config, STAGES, options.models)]
        files = [asked.stamp_file(row.source), *self._stamps(row.voice)]
        text = json.dumps(
            [files, links, options.transpose, options.similarity, options.allow_gaps, self.config.contract]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _read_voice(self, names: tuple[str, ...]) -> TargetVoice:
        return asked.read_voices(names, self.config)


def links(rows: Iterable[Row], config: Config) -> list[Link]:
    """Return every model that rows need, once."""
    needed = {tuple(row.options.models.items()) for row in rows}
    return list(dict.fromkeys(chain(*(make_chain(config, STAGES, dict(models)) for models in needed))))
