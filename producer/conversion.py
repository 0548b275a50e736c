"""A conversion as its client sees it: wait for it, fetch it, hear it while it is made, end it."""

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from voxrelay.producer.collect import Collector, OnProgress, Watch, ignore
from voxrelay.producer.join import Joiner
from voxrelay.producer.keep import Keeper
from voxrelay.producer.level import Samples
from voxrelay.producer.partial import Partial
from voxrelay.producer.provenance import Provenance
from voxrelay.producer.session import Session
from voxrelay.relay import clock, flac
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.work import Work

if TYPE_CHECKING:
    from voxrelay.relay.job import Manifest, Source


@dataclass(frozen=True)
class Result:
    """A finished conversion: where it is, what was noted on the way, and what each stage did.

    ``gaps`` are the stretches of the output, in seconds, that were given up and are silent.
    """

    job: str
    output: Path
    seconds: float
    models: dict[str, str]
    notes: tuple[str, ...]
    gaps: tuple[tuple[float, float], ...]
    works: tuple[Work, ...] = field(repr=False)


class Conversion:
    """One job of a relay. It goes on whether or not this object, or this process, lives.

    ``durable``: it is on disk, and outlives the relay's Redis.
    """

    def __init__(self, session: Session, job: str, notes: tuple[str, ...] = (), *, durable: bool = True) -> None:
        self.session, self.job, self.notes, self.durable = session, job, notes, durable
        self.manifest: Manifest = session.ledger.manifest(job)
        if self.manifest.source is None or self.manifest.chain[-1].stage != "vocoder":
            raise BadInputError(f"{job} is not a conversion")
        self.source: Source = self.manifest.source

    @property
    def state(self) -> str:
        """``running``, ``paused``, ``done``, ``collected``, ``failed`` or ``cancelled``; empty if unknown."""
        return self.session.ledger.state(self.job)

    def wait(self, on_progress: OnProgress = ignore) -> str:
        """Wait until all windows are done or the job has ended otherwise; return its state."""
        return Watch(self.session, self.job, on_progress).wait()

    def stream(self, on_progress: OnProgress = ignore) -> Generator[Samples, None, None]:
        """Yield the sound, float32 [samples] at 22,050 Hz, as soon as each window is ready.

        A stream that is left before its end cancels the job, for what was heard is not kept.

        Raises:
            StageError: the job has failed or was cancelled.

        """
        self._check_there()
        with Collector(self.session, self.job, on_progress) as collector:
            if collector.collected:
                raise BadInputError("a part of it was heard already", where=self.job, hint="submit it again")
            try:
                joiner = self._joiner()
                for index, blob in collector.results(0):
                    yield joiner.add(_sound(blob))
                    collector.acknowledge(index)
            except GeneratorExit:
                self.cancel()
                raise
            self.session.dispatch.end(self.job, "collected")

    def fetch(self, output: str | Path, on_progress: OnProgress = ignore) -> Result:
        """Write the sound to a file, as :meth:`save`, and tell what came of it."""
        self.save(output, on_progress)
        return self.result(Path(output))

    def save(self, output: str | Path, on_progress: OnProgress = ignore) -> None:
        """Write the sound to a file, which appears when it is complete; goes on where a fetch was interrupted.

        Raises:
            BadInputError: it cannot be written, or was fetched by somebody else.
            StageError: the job has failed or was cancelled.

        """
        self._check_there()
        with Partial.open(Path(output), self.manifest.request) as partial:
            if partial.job != self.job:
                partial.claim(self.job)
            self.save_into(partial, on_progress)

    def save_into(self, partial: Partial, on_progress: OnProgress = ignore, keeper: Keeper | None = None) -> None:
        """Append to a partial file what it does not hold yet, and finish it."""
        with Collector(self.session, self.job, on_progress) as collector:
            joiner, first = self._continued(partial, collector)
            collector.sign(partial.path)
            for index, blob in collector.results(first):
                if keeper:
                    keeper.window(self.session, self.manifest, index)
                partial.write(joiner.add(_sound(blob)))
                if index:  # the last window written stays: its end is needed to go on after an interruption
                    collector.acknowledge(index - 1, joiner.shift)
            partial.finish(Provenance.of(self.manifest))
            self.session.dispatch.end(self.job, "collected")

    def result(self, output: Path) -> Result:
        """Tell what came of it, and what each stage did; its output was saved there."""
        spans = [self.manifest.windows[index] for index in self.session.ledger.gaps(self.job)]
        gaps = tuple((span.keep_from / clock.RATE, span.keep_to / clock.RATE) for span in spans)
        models: dict[str, str] = {link.stage: link.model for link in self.manifest.chain}
        works = tuple(self.session.ledger.works(self.job))
        return Result(self.job, output, self.source.seconds, models, self.notes, gaps, works)

    def pause(self) -> None:
        """Stop work on it after the windows at hand; ``resume`` goes on."""
        self.session.dispatch.pause(self.job)

    def resume(self) -> None:
        """Go on with a job that was paused or has failed; nothing if it runs."""
        self.session.dispatch.resume(self.job)

    def cancel(self) -> None:
        """End it for good, and remove all but its record."""
        self.session.dispatch.end(self.job, "cancelled")

    def close(self) -> None:
        """Let the connection go; the job goes on."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __await__(self) -> Generator[None, None, str]:
        return asyncio.to_thread(self.wait).__await__()

    async def __aiter__(self) -> AsyncIterator[Samples]:
        sounds = self.stream()
        try:
            while (sound := await asyncio.to_thread(next, sounds, None)) is not None:
                yield sound
        finally:
            await asyncio.to_thread(sounds.close)

    def _check_there(self) -> None:
        """Refuse a job whose result was taken away; say where to."""
        summary = self.session.ledger.summary(self.job)
        if summary.get("state") == "collected":
            where = summary.get("output", "a stream")
            raise BadInputError(f"was fetched already, to {where}", where=self.job, hint="submit it again")

    def _joiner(self) -> Joiner:
        return Joiner(self.manifest.windows, self.source.gain, self.source.quiet)

    def _continued(self, partial: Partial, collector: Collector) -> tuple[Joiner, int]:
        """Return the joiner and the window to go on with, as the partial file and the job have it.

        The window before is the one that was written last for certain; its sound is still there.
        """
        joiner, written = self._joiner(), collector.collected
        blob = self.session.ledger.result(self.job, written)
        if blob is not None and partial.resume(joiner.resume(written, _sound(blob), collector.shift)):
            return joiner, written + 1
        if written == 0:
            partial.resume(0)
            return self._joiner(), 0
        where = self.session.ledger.summary(self.job).get("output", "elsewhere")
        raise BadInputError(f"{written} of its windows were fetched already, to {where}", where=self.job,
                            hint="fetch it there, to the same file")  # fmt: skip


def _sound(blob: bytes) -> Samples | None:
    """Read what a window became; None for a gap."""
    return flac.unpack(blob, clock.SOUND_RATE * 3600).data if blob else None
