"""What the pools make of each of many recordings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from voxrelay.producer.producer import Producer
from voxrelay.producer.voice import Clip, TargetVoice, cut_recordings, survey_all
from voxrelay.relay import clock
from voxrelay.relay.config import Config, Stage
from voxrelay.relay.corpus import Utterance
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Tensor

# Seconds of sound whose clips are prepared in one job: what Redis holds at a time.
_BATCH_SECONDS = 300.0
OnCount = Callable[[int, int], None]


@dataclass(frozen=True)
class Heard:
    """An utterance, ``length`` samples at 16 kHz, and what stages made of its clips, whose weights add up to 1."""

    utterance: Utterance
    length: int
    weights: list[float]
    made: list[dict[Stage, Tensor]]


@dataclass(frozen=True)
class _Waiting:
    """An utterance whose clips are to be prepared; or what is wrong with it."""

    utterance: Utterance
    length: int = 0
    clips: Sequence[Clip] = ()
    error: BadInputError | None = None

    @classmethod
    def read(cls, utterance: Utterance, config: Config) -> Self:
        try:
            [recording] = survey_all([utterance.path], config)
            clips = cut_recordings(str(utterance.path), [recording], config, 1.0)
        except BadInputError as error:
            return cls(utterance, error=error)
        return cls(utterance, recording.length, clips)


def hear(
    producer: Producer, utterances: Sequence[Utterance], stages: Sequence[Stage], on_count: OnCount
) -> Iterator[Heard | BadInputError]:
    """Have stages prepare utterances, some minutes of them in one job; yields in order, errors for unusable ones."""
    waiting: list[_Waiting] = []
    for done, utterance in enumerate(utterances, 1):
        waiting.append(_Waiting.read(utterance, producer.config))
        seconds = sum(one.length for one in waiting) / clock.RATE
        if seconds > _BATCH_SECONDS or done == len(utterances):
            yield from _prepare(producer, waiting, stages)
            on_count(done, len(utterances))
            waiting = []


def _prepare(producer: Producer, waiting: list[_Waiting], stages: Sequence[Stage]) -> Iterator[Heard | BadInputError]:
    # so that all of them together weigh 1
    clips = [clip.weighed(1 / len(waiting)) for one in waiting for clip in one.clips]
    made = iter(producer.prepare(TargetVoice(tuple(clips)), stages) if clips else ())
    for one in waiting:
        weights = [clip.reference.weight for clip in one.clips]
        yield one.error or Heard(one.utterance, one.length, weights, [next(made) for _ in one.clips])
