"""The Python API: convert recordings, and run single stages, through a relay."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from voxrelay.fleet import local
from voxrelay.producer.join import Joiner, check_writable, writing
from voxrelay.producer.keep import Keeper
from voxrelay.producer.recording import Recording, Samples, read
from voxrelay.producer.run import OnProgress, Progress, Run
from voxrelay.producer.voice import TargetVoice, cut, read_voices
from voxrelay.relay import clock
from voxrelay.relay import config as configuration
from voxrelay.relay.config import STAGES, Config, Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Link, Manifest, Source, Span, Work, new_id
from voxrelay.relay.tensors import Audio, Content, Mel, Tensor, Voice

__all__ = ["Conversion", "OnProgress", "Producer", "Progress"]


def _silent(_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Conversion:
    """A finished conversion: where it is, what was noted on the way, and what each stage did."""

    job: str
    output: Path
    seconds: float
    models: dict[str, str]
    notes: tuple[str, ...]
    works: tuple[Work, ...] = field(repr=False)


class Producer:
    """Converts recordings through four worker pools.

    Without a Redis URL in the configuration it uses a private relay on this machine, started when
    needed and kept warm for ten idle minutes.

    Args:
        config: the configuration; by default ``queues.yml`` and the environment.
        cold: bring up a relay for each call alone and leave nothing behind.
        note: called with a line whenever something takes a while.

    Example:
        >>> from voxrelay import Producer
        >>> Producer().convert("hello.wav", voice="anna.wav", output="hello-anna.wav")  # doctest: +SKIP

    """

    def __init__(
        self, config: Config | None = None, *, cold: bool = False, note: Callable[[str], None] = _silent
    ) -> None:
        self.config = config or configuration.load()
        self.cold, self.note = cold, note

    def convert(
        self,
        source: str | Path,
        voice: str | Sequence[str],
        output: str | Path,
        *,
        models: Mapping[Stage, str] | None = None,
        keep_tensors: Path | None = None,
        on_progress: OnProgress = _silent,
    ) -> Conversion:
        """Convert a recording to another voice and write it at 22.05 kHz.

        Args:
            source: recording to convert.
            voice: target voice, a file, folder or glob; several are blended in equal parts.
            output: file to write; its suffix is the format.
            models: models to use instead of those of ``pipeline`` in ``queues.yml``, by stage.
            keep_tensors: folder to write everything to that passed between the stages.
            on_progress: called as each stage ends on each window.

        Raises:
            VoxError: with what was wrong, where, and what to do.

        """
        output = Path(output)
        check_writable(output)
        recording = self._read(Path(source))
        target = read_voices([voice] if isinstance(voice, str) else voice, self.config)
        manifest = self._manifest(STAGES, models or {}, self._windows(recording), target, recording)
        keeper = Keeper(keep_tensors) if keep_tensors else None
        with self._run(manifest, on_progress) as run, writing(output) as file:
            run.put_clips(_audio(target))
            joiner, level = Joiner(manifest.windows), np.float32(1 / recording.gain)
            for index, blob in run.windows(_inputs(recording, manifest), "vocoder"):
                if keeper:
                    keeper.window(run, index)
                sound = joiner.add(Audio.from_bytes(blob).data.astype(np.float32))
                file.write(np.clip(sound * level, -1, 1))
            works = tuple(run.works())
        chosen: dict[str, str] = {link.stage: link.model for link in manifest.chain}
        notes = tuple(f"{recording.path.name}: {note}" for note in recording.notes) + target.notes
        return Conversion(manifest.id, output, recording.seconds, chosen, notes, works)

    def embed(self, voice: str | Sequence[str], *, model: str = "", on_progress: OnProgress = _silent) -> Voice:
        """Run the speaker stage alone: a voice becomes an embedding."""
        target = read_voices([voice] if isinstance(voice, str) else voice, self.config)
        nothing = [Span(start=0, length=0, keep_from=0, keep_to=0)]
        manifest = self._manifest(["speaker"], _only("speaker", model), nothing, target)
        with self._run(manifest, on_progress) as run:
            run.put_clips(_audio(target))
            empty = ("audio", Audio(np.zeros(0, dtype=np.float32), rate=clock.RATE))
            return Voice.from_bytes(next(run.windows([empty], "speaker"))[1])

    def encode(self, source: str | Path, *, model: str = "", on_progress: OnProgress = _silent) -> Content:
        """Run the content stage alone: a recording becomes content frames, exactly N/320."""
        recording = self._read(Path(source))
        manifest = self._manifest(
            ["content"], _only("content", model), self._windows(recording), TargetVoice(), recording
        )
        kept = []
        with self._run(manifest, on_progress) as run:
            for index, blob in run.windows(_inputs(recording, manifest), "content"):
                span, frames = manifest.windows[index], Content.from_bytes(blob)
                begin, end = (clock.content_frames(edge - span.start) for edge in (span.keep_from, span.keep_to))
                kept.append(frames.data[begin:end])
        return Content(np.concatenate(kept), model=frames.model)

    def synthesise(
        self, content: Content, voice: str | Sequence[str], *, model: str = "", on_progress: OnProgress = _silent
    ) -> Mel:
        """Run the mel stage alone: content, said in a voice, becomes a mel spectrogram."""
        target = read_voices([voice] if isinstance(voice, str) else voice, self.config)
        length = len(content.data) * clock.CONTENT_HOP
        whole = [Span(start=0, length=length, keep_from=0, keep_to=length)]
        models: dict[Stage, str] = {"content": content.model, **_only("mel", model)}
        manifest = self._manifest(["speaker", "content", "mel"], models, whole, target)
        with self._run(manifest, on_progress) as run:
            run.put_clips(_audio(target))
            return Mel.from_bytes(next(run.windows([("content", content)], "mel"))[1])

    def vocode(self, mel: Mel, *, model: str = "", on_progress: OnProgress = _silent) -> Audio:
        """Run the vocoder stage alone: a mel spectrogram becomes sound at 22.05 kHz."""
        nothing = [Span(start=0, length=0, keep_from=0, keep_to=0)]
        manifest = self._manifest(["vocoder"], _only("vocoder", model), nothing, TargetVoice())
        with self._run(manifest, on_progress) as run:
            return Audio.from_bytes(next(run.windows([("mel", mel)], "vocoder"))[1])

    def _read(self, source: Path) -> Recording:
        return read(source, self.config.limits.shortest, self.config.limits.source)

    def _windows(self, recording: Recording) -> list[Span]:
        size = self.config.window
        windows = clock.plan_windows(len(recording.samples), size.samples, size.context_samples)
        return [Span.model_validate(vars(window)) for window in windows]

    def _manifest(
        self,
        stages: Sequence[Stage],
        models: Mapping[Stage, str],
        windows: list[Span],
        target: TargetVoice,
        recording: Recording | None = None,
    ) -> Manifest:
        chosen = {**self.config.pipeline, **models}
        for stage in stages:
            self.config.model(stage, chosen[stage])
        return Manifest(
            id=new_id(),
            contract=self.config.contract,
            chain=[Link(stage=stage, model=chosen[stage]) for stage in stages],
            windows=windows,
            references=target.references,
            source=_describe(recording) if recording else None,
        )

    @contextmanager
    def _run(self, manifest: Manifest, on_progress: OnProgress) -> Iterator[Run]:
        with (
            local.relay(self.config, manifest.chain, cold=self.cold, note=self.note) as config,
            Run(config, manifest, on_progress, forget=self.cold) as run,
        ):
            yield run


def _only(stage: Stage, model: str) -> dict[Stage, str]:
    return {stage: model} if model else {}


def _audio(target: TargetVoice) -> list[Audio]:
    return [Audio(clip.samples, rate=clock.RATE) for clip in target.clips]


def _describe(recording: Recording) -> Source:
    return Source(name=recording.path.name, rate=recording.rate, channels=recording.channels, seconds=recording.seconds)


def _inputs(recording: Recording, manifest: Manifest) -> Iterator[tuple[str, Tensor]]:
    """Yield the sound of each window at the common level."""
    level = np.float32(recording.gain)
    for span in manifest.windows:
        samples: Samples = cut(recording.samples, clock.Window(**span.model_dump())) * level
        yield "audio", Audio(samples, rate=clock.RATE)


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
