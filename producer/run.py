"""Run one job: write down what it needs, open it, follow it, hand over what its windows become."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import redis

from voxrelay.relay import keys, presence
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.connect import connect
from voxrelay.relay.dispatch import Dispatch
from voxrelay.relay.errors import StageError, UnavailableError
from voxrelay.relay.job import Event, Manifest, Part, Work
from voxrelay.relay.queue import make_app
from voxrelay.relay.tensors import Tensor

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Progress:
    """A stage ended on one window or reference; ``total`` counts all that the stage will do."""

    part: Part
    stage: Stage
    done: int
    total: int


OnProgress = Callable[[Progress], None]


class Run:
    """One job on a relay that is up; a context manager that leaves only the job's record behind."""

    def __init__(self, config: Config, manifest: Manifest, on_progress: OnProgress, *, forget: bool) -> None:
        self.config, self.manifest, self.on_progress = config, manifest, on_progress
        self.forget = forget
        self.stores = connect(config.redis)
        self.app = make_app(config)
        self.dispatch = Dispatch(self.stores.jobs, self.app, config)
        self.ledger = self.dispatch.ledger
        self._missing: list[int] = []
        self._done: dict[tuple[Part, Stage], set[int]] = {}
        self._events = self.ledger.follow(manifest.id, POLL_SECONDS)

    def __enter__(self) -> Self:
        pipe = self.stores.tensors.pipeline()
        for clip in self.manifest.references:
            pipe.sadd(keys.voice_users(clip.digest), self.manifest.id)
            pipe.expire(keys.voice_users(clip.digest), self.config.lifetimes.tensors)
        pipe.expire(self.manifest.blend_key, self.config.lifetimes.tensors)
        pipe.execute()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        state = "done" if error is None else "failed" if isinstance(error, Exception) else "cancelled"
        try:
            self.ledger.close(self.manifest.id, cast("Any", state), str(error or ""))
            self.dispatch.end(self.manifest)
            names = [key for index in range(len(self.manifest.windows)) for key in self.manifest.window_keys(index)]
            self.stores.tensors.delete(*names)
            self._release_voice()
            self.app.close()
        except redis.RedisError:
            if error is None:
                raise  # otherwise the first error is the one to tell

    def put_clips(self, clips: Sequence[Tensor]) -> None:
        """Write the sound of those reference clips that are not prepared yet."""
        for index, clip in enumerate(clips):
            if not self._keep(index):
                self._missing.append(index)
                self.put(self.manifest.input_key("reference", index), clip)

    def windows(self, inputs: Iterable[tuple[str, Tensor]], output: Stage) -> Iterator[tuple[int, bytes]]:
        """Open the job and yield the output of a stage for each window, in order.

        Args:
            inputs: for each window the name and the tensor that its chain begins with.
            output: the last stage of the chain.

        """
        for index, (name, tensor) in enumerate(inputs):
            self.put(keys.window(self.manifest.id, index, name), tensor)
        self.dispatch.open(self.manifest, self._missing)
        finished: set[int] = set()
        for index in range(len(self.manifest.windows)):
            while index not in finished:
                event = self._next_event()
                if (event.part, event.stage) == ("window", output):
                    finished.add(event.index)
            yield index, self.get(self.manifest.output_key("window", index, output))
            self.stores.tensors.delete(*self.manifest.window_keys(index))

    def put(self, key: str, tensor: Tensor) -> None:
        """Write a tensor."""
        self.stores.tensors.set(key, tensor.to_bytes(), ex=self.config.lifetimes.tensors)

    def get(self, key: str) -> bytes:
        """Read the bytes of a tensor.

        Raises:
            StageError: it is gone.

        """
        blob = self.stores.tensors.get(key)
        if blob is None:
            raise StageError(f"{key} is not in Redis", where=self.manifest.id, hint="was Redis emptied?")
        return cast("bytes", blob)

    def works(self) -> list[Work]:
        """Read what each stage did so far."""
        return self.ledger.works(self.manifest.id)

    def _next_event(self) -> Event:
        """Wait for a stage to end on any unit.

        Raises:
            StageError: the job has failed.
            UnavailableError: nothing happens, because a pool has no worker.

        """
        quiet_since = time.monotonic()
        while (event := next(self._events)) is None:
            self._check_alive(quiet_since)
        if event.error:
            raise StageError(event.error, where=self.manifest.id)
        self._advance(event)
        return event

    def _advance(self, event: Event) -> None:
        """Count a finished unit, once, and tell whoever watches."""
        units = self._done.setdefault((event.part, event.stage), set())
        units.add(event.index)
        done = len(units)
        total = len(self.manifest.windows if event.part == "window" else self._missing)
        self.on_progress(Progress(event.part, event.stage, done, total))

    def _check_alive(self, quiet_since: float) -> None:
        """Give up when nothing happens and a pool has no worker."""
        if time.monotonic() - quiet_since < PATIENCE_SECONDS:
            return
        served = presence.served(self.stores.jobs)
        gone = [f"{x.stage}.{x.model}" for x in self.manifest.chain if (x.stage, x.model) not in served]
        if gone:
            raise UnavailableError(f"no worker serves {', '.join(gone)} any more", where=self.manifest.id,
                                   hint="vox ps shows the pools")  # fmt: skip

    def _keep(self, index: int) -> bool:
        """Keep everything prepared for a reference for the length of this job; whether it is complete."""
        pipe = self.stores.tensors.pipeline()
        for link in self.manifest.links("reference"):
            name = self.manifest.output_key("reference", index, link.stage)
            pipe.expire(name, self.config.lifetimes.tensors)
        return all(pipe.execute())

    def _release_voice(self) -> None:
        """Let go of the prepared voice: it stays for a while for the next job, or goes if told to forget it."""
        tensors = self.stores.tensors
        idle = 0 if self.forget else self.config.lifetimes.voices
        for key in self._unused(tensors):
            tensors.expire(key, idle)

    def _unused(self, tensors: Any) -> list[str]:  # noqa: ANN401 - an untyped client
        """Return the keys of this voice that no other job uses."""
        mine, shared = self.manifest.voice_keys(), set()
        for clip in self.manifest.references:
            users = keys.voice_users(clip.digest)
            tensors.srem(users, self.manifest.id)
            if tensors.exists(users):
                shared.add(clip.digest)
        if shared:
            mine.remove(self.manifest.blend_key)  # the same clips may be the same blend
        return [key for key in mine if not any(digest in key for digest in shared)]
