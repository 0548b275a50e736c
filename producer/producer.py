"""The Python API: convert recordings, and run single stages, through a relay."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxrelay.fleet import local
from voxrelay.producer.batch import Batch, OnStanding, Outcome, links
from voxrelay.producer.collect import Collector, OnProgress, Progress, ignore
from voxrelay.producer.conversion import Conversion, Result
from voxrelay.producer.journal import Journal
from voxrelay.producer.keep import Keeper
from voxrelay.producer.output import check_writable
from voxrelay.producer.partial import Partial
from voxrelay.producer.plan import Plan, plan_conversion, plan_preparation, plan_stages
from voxrelay.producer.prepare import run_preparation
from voxrelay.producer.report import REPORT, write_report
from voxrelay.producer.rows import Options, read_rows
from voxrelay.producer.session import Session
from voxrelay.producer.submit import submit
from voxrelay.producer.voice import TargetVoice
from voxrelay.relay import clock, flac, keys
from voxrelay.relay import config as configuration
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.errors import BadConfigError, BadInputError, RefusedError, UnavailableError
from voxrelay.relay.job import Link
from voxrelay.relay.tensors import Audio, Content, Mel, Tensor, Voice

__all__ = ["Conversion", "OnProgress", "Outcome", "Producer", "Progress", "Result"]


class Producer:
    """Converts recordings through four worker pools.

    Without a Redis URL in the configuration it uses a private relay on this machine, started when
    needed and kept warm for ten idle minutes.

    Args:
        config: the configuration; by default ``queues.yml`` and the environment.
        profile: models to chain, a profile of the configuration; by default the one that it names.
        cold: bring up a relay for each call alone and leave nothing behind.
        note: called with a line whenever something takes a while.

    Examples:
        >>> from voxrelay import Producer
        >>> Producer().convert("hello.wav", voice="anna.wav", output="hello-anna.wav")  # doctest: +SKIP

    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        profile: str = "",
        cold: bool = False,
        note: Callable[[str], None] = ignore,
    ) -> None:
        self.config = (config or configuration.load()).with_profile(profile)
        self.cold, self.note = cold, note

    def convert(
        self,
        source: str | Path,
        voice: str | Sequence[str],
        output: str | Path,
        *,
        models: Mapping[Stage, str] | None = None,
        keep_tensors: Path | None = None,
        allow_gaps: bool = False,
        transpose: float | None = None,
        similarity: float = 1.0,
        on_progress: OnProgress = ignore,
    ) -> Result:
        """Convert a recording to another voice and write it at 22.05 kHz.

        Interrupted and called again with the same arguments, it goes on where it was.

        Args:
            source: recording to convert.
            voice: target voice, a saved one, a file, folder or glob; several are blended, in equal parts or
                by weights, ``["anna:0.6", "ben:0.4"]``.
            output: file to write; its suffix is the format.
            models: models to use instead of those of the profile in ``queues.yml``, by stage.
            keep_tensors: folder to write everything to that passed between the stages.
            allow_gaps: leave silence where a window had to be given up, rather than fail.
            transpose: semitones to move the melody by; None: into the target's register.
            similarity: how far to go from the source's voice to the target's, above 0 and up to 1.
            on_progress: called as each stage ends on each window.

        Raises:
            VoxError: with what was wrong, where, and what to do.

        """
        keep = keep_tensors is not None
        check_writable(Path(output))
        plan = plan_conversion(
            self.config,
            Path(source),
            voice,
            models or {},
            allow_gaps=allow_gaps,
            keep=keep,
            transpose=transpose,
            similarity=similarity,
        )
        with Partial.open(Path(output), plan.manifest.request) as partial:
            keeper = Keeper(keep_tensors) if keep_tensors else None
            with self._session(plan.manifest.chain) as session:
                conversion = self._continue(session, partial, plan) or self._begin(session, partial, plan)
                try:
                    conversion.save_into(partial, on_progress, keeper)
                except BaseException as error:
                    if keep or self.cold:
                        partial.discard()
                        conversion.cancel()
                    elif isinstance(error, KeyboardInterrupt):
                        conversion.pause()
                        self.note(f"{conversion.job} is paused: the same command goes on, `vox job cancel` ends it")
                    raise
                finally:
                    if self.cold:
                        _forget_voice(session, plan)
                return conversion.result(partial.path)

    def submit(
        self,
        source: str | Path,
        voice: str | Sequence[str],
        *,
        models: Mapping[Stage, str] | None = None,
        allow_gaps: bool = False,
        transpose: float | None = None,
        similarity: float = 1.0,
        on_done: Callable[[Conversion], None] | None = None,
    ) -> Conversion:
        """Enqueue a conversion and return at once; it goes on without this process.

        Args:
            source: recording to convert.
            voice: target voice, as for :meth:`convert`.
            models: models to use, as for :meth:`convert`.
            allow_gaps: leave silence where a window had to be given up, rather than fail.
            transpose: semitones to move the melody by; None: into the target's register.
            similarity: how far to go from the source's voice to the target's, above 0 and up to 1.
            on_done: called from another thread when the job has ended, whichever way.

        Raises:
            VoxError: it was refused; what was wrong, where, and what to do.

        """
        if self.cold:
            raise BadConfigError("a cold relay ends with its command and cannot keep a job", hint="leave cold out")
        plan = plan_conversion(
            self.config,
            Path(source),
            voice,
            models or {},
            allow_gaps=allow_gaps,
            transpose=transpose,
            similarity=similarity,
        )
        with local.relay(self.config, plan.manifest.chain, cold=False, note=self.note) as config:
            conversion = self._submit(Session.open(config), plan)
        if on_done:
            threading.Thread(target=lambda: (conversion.wait(), on_done(conversion)), daemon=True).start()
        return conversion

    def batch(
        self,
        source: str | Path,
        output: str | Path,
        voice: str | Sequence[str] = (),
        *,
        models: Mapping[Stage, str] | None = None,
        allow_gaps: bool = False,
        transpose: float | None = None,
        similarity: float = 1.0,
        on_standing: OnStanding = ignore,
    ) -> list[Outcome]:
        """Convert the rows of a CSV file, or every recording of a folder, to each of some voices.

        Interrupted and called again with the same arguments, it goes on where it was; what failed is tried
        again. ``report.csv`` in ``output`` says what became of each row.

        Args:
            source: the CSV file or folder, see :func:`~voxrelay.producer.rows.read_rows`.
            output: folder to write to.
            voice: target voices of rows that name none, each in turn.
            models: models of rows that do not say, as for :meth:`convert`.
            allow_gaps: as for :meth:`convert`, of rows that do not say.
            transpose: as for :meth:`convert`, of rows that do not say.
            similarity: as for :meth:`convert`, of rows that do not say.
            on_standing: called whenever something has ended.

        Returns:
            What became of each row; failures do not raise.

        Raises:
            VoxError: the table, the folder or the relay cannot be used.

        """
        voices = [voice] if isinstance(voice, str) else voice
        folder = Path(output)
        options = Options(models or {}, transpose, similarity, allow_gaps)
        rows = read_rows(Path(source), voices, folder, options, self.config)
        with Journal.open(folder) as journal, self._session(links(rows, self.config)) as session:
            batch = Batch(session, journal, rows, on_standing)
            try:
                batch.run()
            finally:
                write_report(folder / REPORT, batch.ordered)
        return batch.ordered

    def conversion(self, job: str) -> Conversion:
        """Return a conversion that was submitted before, by whomever.

        Raises:
            UnavailableError: no relay is running, or its pools cannot be started.
            BadInputError: there is no such job.

        """
        redis = local.jobs_redis(self.config, self.note)
        if redis is None:
            raise UnavailableError("no relay is running, and none has kept jobs", hint="set REDIS_URL?")
        session = Session.open(self.config.model_copy(update={"redis": redis}))
        found = Conversion(session, job)
        if found.state in ("running", "paused") and not self.config.redis.shared:
            with local.relay(self.config, found.manifest.chain, cold=False, note=self.note):
                pass  # its pools are up now
        return found

    def prepare(
        self,
        target: TargetVoice,
        stages: Sequence[Stage],
        *,
        models: Mapping[Stage, str] | None = None,
        on_progress: OnProgress = ignore,
    ) -> list[dict[Stage, Tensor]]:
        """Have stages prepare the clips of a voice; return what each made of each clip."""
        plan = plan_preparation(self.config, stages, models or {}, target)
        with self._session(plan.manifest.chain) as session:
            try:
                return run_preparation(session, plan, on_progress)
            finally:
                if self.cold:
                    _forget_voice(session, plan)

    def embed(self, voice: str | Sequence[str], *, model: str = "", on_progress: OnProgress = ignore) -> Voice:
        """Run the speaker stage alone: a voice becomes an embedding."""
        plan = plan_stages(self.config, ["speaker"], _only("speaker", model), voice=voice)
        return Voice.from_bytes(self._outputs(plan, on_progress)[0])

    def encode(self, source: str | Path, *, model: str = "", on_progress: OnProgress = ignore) -> Content:
        """Run the content stage alone: a recording becomes content frames, exactly N/320."""
        plan = plan_stages(self.config, ["content"], _only("content", model), source=Path(source))
        kept = []
        for span, blob in zip(plan.manifest.windows, self._outputs(plan, on_progress), strict=True):
            frames = Content.from_bytes(blob)
            begin, end = (clock.content_frames(edge - span.start) for edge in (span.keep_from, span.keep_to))
            kept.append(frames.data[begin:end])
        return Content(np.concatenate(kept), model=frames.model)

    def synthesise(
        self, content: Content, voice: str | Sequence[str], *, model: str = "", on_progress: OnProgress = ignore
    ) -> Mel:
        """Run the mel stage alone: content, said in a voice, becomes a mel spectrogram."""
        models: dict[Stage, str] = {"content": content.model, **_only("mel", model)}
        stages: list[Stage] = ["speaker", "content", "mel"]
        plan = plan_stages(self.config, stages, models, voice=voice, frames=len(content.data))
        return Mel.from_bytes(self._outputs(plan, on_progress, content=content)[0])

    def vocode(self, mel: Mel, *, model: str = "", on_progress: OnProgress = ignore) -> Audio:
        """Run the vocoder stage alone: a mel spectrogram becomes sound at 22.05 kHz."""
        plan = plan_stages(self.config, ["vocoder"], _only("vocoder", model))
        return flac.unpack(self._outputs(plan, on_progress, mel=mel)[0], len(mel.data) * clock.MEL_HOP)

    def _outputs(self, plan: Plan, on_progress: OnProgress, **inputs: Tensor) -> list[bytes]:
        """Run a job of some stages and return the output of each window."""
        manifest = plan.manifest
        with self._session(manifest.chain) as session:
            tensors = {keys.window(manifest.id, 0, name): tensor for name, tensor in inputs.items()}
            submit(session, manifest, sounds=plan.sounds(), clips=plan.clips, prepared=plan.prepared, tensors=tensors)
            state = "cancelled"
            try:
                with Collector(session, manifest.id, on_progress) as collector:
                    outputs = [blob for _, blob in collector.results(0)]
                state = "collected"
            finally:
                session.dispatch.end(manifest.id, state)
                if tensors:
                    session.stores.tensors.delete(*tensors)
                if self.cold:
                    _forget_voice(session, plan)
        return outputs

    def _submit(self, session: Session, plan: Plan) -> Conversion:
        durable = submit(session, plan.manifest, sounds=plan.sounds(), clips=plan.clips, prepared=plan.prepared)
        for note in plan.notes:
            session.ledger.say(plan.manifest.id, note)
        return Conversion(session, plan.manifest.id, plan.notes, durable=durable)

    def _begin(self, session: Session, partial: Partial, plan: Plan) -> Conversion:
        """Submit a conversion that its output belongs to already: who is interrupted here can still go on with it."""
        partial.claim(plan.manifest.id)
        try:
            return self._submit(session, plan)
        except BaseException as error:
            if isinstance(error, BadInputError | RefusedError) or self.cold or plan.manifest.keep:
                partial.discard()
            raise

    def _continue(self, session: Session, partial: Partial, plan: Plan) -> Conversion | None:
        """Find the job that was interrupted with this very request, if it can go on."""
        state = session.ledger.state(partial.job) if partial.job else ""
        if plan.manifest.keep or state not in ("running", "paused", "done"):
            return None
        conversion = Conversion(session, partial.job, plan.notes)
        conversion.resume()
        self.note(f"going on with {partial.job}")
        return conversion

    @contextmanager
    def _session(self, chain: Sequence[Link]) -> Iterator[Session]:
        with local.relay(self.config, chain, cold=self.cold, note=self.note) as config:
            session = Session.open(config)
            try:
                yield session
            finally:
                session.close()


def _only(stage: Stage, model: str) -> dict[Stage, str]:
    return {stage: model} if model else {}


def _forget_voice(session: Session, plan: Plan) -> None:
    """Leave nothing of a voice that no other job uses."""
    voice = plan.manifest.voice_id
    if not session.stores.jobs.exists(keys.voice_jobs(voice)):
        session.stores.tensors.delete(*plan.manifest.voice_keys())
        session.stores.jobs.delete(keys.sounds(voice))


def load_tensor(path: Path, kind: type[Any]) -> Any:  # noqa: ANN401 - an instance of ``kind``
    """Read a tensor that a stage wrote.

    Raises:
        BadInputError: the file is missing or holds something else.

    """
    try:
        return kind.from_bytes(path.read_bytes())
    except OSError as error:
        raise BadInputError("there is no such file", where=str(path), hint="check the path") from error
    except BadInputError as error:
        raise BadInputError(error.what, where=str(path), hint=f"vox stage writes {kind.__name__} files") from error
