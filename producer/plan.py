"""Plan a job: from what was asked for to its manifest, and the sounds that go with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voxrelay.producer.asked import part_of_the_way, read_voices
from voxrelay.producer.level import Samples
from voxrelay.producer.recording import Recording, survey
from voxrelay.producer.session import client_name
from voxrelay.producer.voice import TargetVoice
from voxrelay.relay import clock
from voxrelay.relay.config import STAGES, Config, Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import TRANSPOSED, Link, Manifest, Source, Span, new_id
from voxrelay.relay.tensors import Tensor

# A window of a chain that does not begin with sound.
WHOLE = Span(start=0, length=0, keep_from=0, keep_to=0)


@dataclass(frozen=True)
class Plan:
    """A job that can be submitted, and what is worth knowing about its recordings."""

    manifest: Manifest
    target: TargetVoice = field(default_factory=TargetVoice)
    recording: Recording | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for whoever asked."""
        own = self.recording.notes if self.recording else ()
        name = self.recording.path.name if self.recording else ""
        return tuple(f"{name}: {note}" for note in own) + self.target.notes

    @property
    def clips(self) -> list[Samples]:
        """The sound of each reference, float32 [samples] at 16 kHz."""
        return [clip.samples for clip in self.target.clips]

    @property
    def prepared(self) -> dict[str, Tensor]:
        """What saved voices bring along for this chain, by key."""
        manifest, found = self.manifest, {}
        for index, clip in enumerate(self.target.clips):
            for link in manifest.links("reference"):
                tensor = clip.prepared.get(f"{link.stage}.{link.model}") or clip.prepared.get(link.stage)
                if tensor:
                    found[manifest.output_key("reference", index, link.stage)] = tensor
        return found

    def sounds(self) -> Iterable[Samples]:
        """Read the sound of each window, float32 [samples] at 16 kHz."""
        if self.recording is None:
            return ()
        return self.recording.windows(clock.Window(**span.model_dump()) for span in self.manifest.windows)


def plan_conversion(
    config: Config,
    source: Path,
    voice: str | Sequence[str] | TargetVoice,
    models: Mapping[Stage, str],
    *,
    allow_gaps: bool = False,
    keep: bool = False,
    transpose: float | None = None,
    similarity: float = 1.0,
) -> Plan:
    """Plan the conversion of a recording, to a voice that is named or was read already.

    The arguments are those of ``Producer.convert``.

    Raises:
        BadInputError: a recording that cannot be used, or more semitones than make sense.
        BadConfigError: there is no such model.

    """
    if transpose is not None and not abs(transpose) <= TRANSPOSED:
        raise BadInputError(f"transposed by {transpose:g} semitones", hint=f"allowed: up to {TRANSPOSED:g} either way")
    chain = make_chain(config, STAGES, models)
    recording = survey(source, config.limits.shortest, config.limits.source)
    target = part_of_the_way(recording, _voices(config, voice), similarity, config)
    manifest = _manifest(config, chain, _windows(config, recording), target, recording)
    wishes = {"allow_gaps": allow_gaps, "keep": keep, "transpose": transpose, "similarity": similarity}
    return Plan(manifest.model_copy(update=wishes), target, recording)


def plan_stages(
    config: Config,
    stages: Sequence[Stage],
    models: Mapping[Stage, str],
    *,
    voice: str | Sequence[str] = (),
    source: Path | None = None,
    frames: int = 0,
) -> Plan:
    """Plan a job of some stages alone.

    Args:
        config: the configuration.
        stages: the stages of the chain, in order.
        models: models that are not those of the profile, by stage.
        voice: the target voice, if a stage needs one.
        source: the recording, if the chain begins with one.
        frames: how many content frames it begins with otherwise.

    Raises:
        BadInputError: a recording that cannot be used.
        BadConfigError: there is no such model.

    """
    chain = make_chain(config, stages, models)
    recording = survey(source, config.limits.shortest, config.limits.source) if source else None
    target = _voices(config, voice) if voice else TargetVoice()
    length = frames * clock.CONTENT_HOP
    whole = WHOLE.model_copy(update={"length": length, "keep_to": length})
    windows = _windows(config, recording) if recording else [whole]
    return Plan(_manifest(config, chain, windows, target, recording), target, recording)


def plan_preparation(config: Config, stages: Sequence[Stage], models: Mapping[Stage, str], target: TargetVoice) -> Plan:
    """Plan a job without windows: it prepares the clips of a voice and nothing else.

    Raises:
        BadConfigError: there is no such model.

    """
    return Plan(_manifest(config, make_chain(config, stages, models), [], target, None), target)


def make_chain(config: Config, stages: Sequence[Stage], models: Mapping[Stage, str]) -> list[Link]:
    """Choose a model for each stage: those named, else those of the profile.

    Raises:
        BadConfigError: there is no such model.

    """
    chosen = {**config.chain(), **models}
    for stage in stages:
        config.model(stage, chosen[stage])
    return [Link(stage=stage, model=chosen[stage]) for stage in stages]


def _voices(config: Config, voice: str | Sequence[str] | TargetVoice) -> TargetVoice:
    if isinstance(voice, TargetVoice):
        return voice
    return read_voices([voice] if isinstance(voice, str) else voice, config)


def _windows(config: Config, recording: Recording) -> list[Span]:
    return [Span.model_validate(vars(window)) for window in config.window.cut(recording.length)]


def _manifest(
    config: Config, chain: list[Link], windows: list[Span], target: TargetVoice, recording: Recording | None
) -> Manifest:
    return Manifest(
        id=new_id(),
        contract=config.contract,
        chain=chain,
        windows=windows,
        references=target.references,
        source=_describe(recording) if recording else None,
        client=client_name(),
    )


def _describe(recording: Recording) -> Source:
    return Source(
        name=recording.path.name,
        rate=recording.rate,
        channels=recording.channels,
        seconds=recording.seconds,
        gain=recording.gain,
        digest=recording.digest,
        quiet=list(recording.quiet),
    )
