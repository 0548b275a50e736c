"""Evaluate pipelines: draw pairs, convert them through the queue, have them judged, write the report."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from voxrelay.evaluation import copies, judging, sounds, voices
from voxrelay.evaluation.conversions import convert, pace
from voxrelay.evaluation.pairs import Pair, by_speaker, draw, take
from voxrelay.evaluation.request import Request, claim
from voxrelay.evaluation.rows import (
    REFERENCE,
    ROUND_TRIP,
    SOURCE,
    TRUTH,
    Driven,
    Places,
    copy_synthesis,
    driven,
    shuffle,
)
from voxrelay.producer.producer import Producer
from voxrelay.relay import corpus
from voxrelay.relay.comparison import Comparison, Row, Trial

OnProgress = Callable[[str, int, int], None]


class Evaluation:
    """One evaluation; interrupted and run again, it goes on where it was.

    Args:
        producer: with the relay to use.
        request: what was asked for.
        on_progress: is told of every step how much of it is done, of how much.

    """

    def __init__(self, producer: Producer, request: Request, on_progress: OnProgress) -> None:
        self.producer, self.request, self.on_progress = producer, request, on_progress
        self.places = Places(request.output)
        self.notes: list[str] = []
        self.failed: dict[Path, str] = {}

    def run(self) -> dict[str, Any]:
        """Do all of it; returns the summary that the report was made of."""
        request = self.request
        recordings = sounds.timed(corpus.read(request.data, request.split))
        pairs = draw(recordings, request.pairs, request.seed, request.seconds)
        claim(request.output, pairs)
        references = self._prepare(pairs)
        rows = self._rows(pairs, references)
        wishes = [wish for row in rows for wish in row.wishes(pairs, self.places)]
        self.failed |= convert(self.producer, wishes, self._counter("conversions", len(wishes)))
        copied = self._copy(pairs)
        self._compare(pairs, [TRUTH, SOURCE, ROUND_TRIP, *copied, *(row.row for row in rows)])
        return judging.report(self.producer, request.output, request.judges, self.on_progress)

    def _prepare(self, pairs: Sequence[Pair]) -> dict[str, Path]:
        """Write what is not converted; returns the reference of every pair."""
        done, seconds, references = self._counter("recordings", len(pairs)), self.request.seconds, {}
        for pair in pairs:
            source = sounds.write_source(pair.source, self.places.of(SOURCE, pair))
            sounds.write_round_trip(source, self.places.of(ROUND_TRIP, pair))
            references[pair.name] = sounds.write_joined(pair.reference, self.places.of(REFERENCE, pair), seconds)
            if pair.others:
                sounds.write_joined(pair.others, self.places.of(TRUTH, pair), seconds)
            done()
        return references

    def _rows(self, pairs: Sequence[Pair], references: Mapping[str, Path]) -> list[Driven]:
        training = self.request.training
        nearest = self._nearest(pairs, references, training) if training else None
        if nearest is None:
            self.notes.append("No training recordings were named: no row is driven by the nearest training voice.")
        shuffled = shuffle(pairs, references, self.request.seed)
        if shuffled is None:
            self.notes.append("All pairs have the same speakers: there is no other voice to shuffle in.")
        return [row for one in self.request.pipelines for row in driven(one, references, nearest, shuffled)]

    def _nearest(self, pairs: Sequence[Pair], references: Mapping[str, Path], training: Path) -> dict[str, Path]:
        """Find for every target the training speaker whose voice is nearest."""
        trained = by_speaker(sounds.timed(corpus.read(training, corpus.TRAIN)))
        folder, seconds = self.request.output / "work" / "training", self.request.seconds
        speakers = {
            speaker: sounds.write_joined(take(said, seconds), folder / f"{speaker[0]}-{speaker[1]}.wav", seconds)
            for speaker, said in trained.items()
        }
        self._embed("training voices", [*speakers.values(), *references.values()])
        return {
            pair.name: voices.nearest(
                self.request.output,
                references[pair.name],
                [sound for speaker, sound in speakers.items() if speaker != pair.target and sound not in self.failed],
            )
            for pair in pairs
        }

    def _copy(self, pairs: Sequence[Pair]) -> list[Row]:
        """Make the true mel of every source audible by every vocoder that a pipeline names."""
        mels = {self.places.of(SOURCE, pair): self._mel(pair) for pair in pairs}
        copies.analyse(self.producer, mels)
        vocoders = dict.fromkeys(pipeline.vocoder for pipeline in self.request.pipelines)
        rows = [copy_synthesis(vocoder) for vocoder in vocoders]
        done = self._counter("copy synthesis", len(pairs) * len(rows))
        for row in rows:
            outputs = {self._mel(pair): self.places.of(row, pair) for pair in pairs}
            copies.vocode(self.producer, row.pipeline, outputs, done)
        return rows

    def _mel(self, pair: Pair) -> Path:
        return self.request.output / "work" / "mels" / f"{pair.name}.safetensors"

    def _compare(self, pairs: Sequence[Pair], rows: Sequence[Row]) -> None:
        """Embed every sound, and write down what is to be judged."""
        trials = [self._trial(row, pair) for pair in pairs for row in rows if self.places.of(row, pair).exists()]
        heard = {self.places.folder / name for one in trials for name in (one.sound, one.source, one.reference)}
        self._embed("embeddings", sorted(heard))
        self.notes += [
            f"{self.places.within(path)} could not be used: {why}." for path, why in sorted(self.failed.items())
        ]
        Comparison(rows=list(rows), trials=trials, notes=self.notes).write(self.request.output)

    def _trial(self, row: Row, pair: Pair) -> Trial:
        sound, other = self.places.of(row, pair), self.places.of(TRUTH, pair)
        return Trial(
            row=row.name,
            pair=pair.name,
            group=pair.group,
            sound=self.places.within(sound),
            source=self.places.within(self.places.of(SOURCE, pair)),
            reference=self.places.within(self.places.of(REFERENCE, pair)),
            other=self.places.within(other) if other.exists() else "",
            text=pair.source.text,
            pace=pace(sound),
        )

    def _embed(self, label: str, paths: Sequence[Path]) -> None:
        self.failed |= voices.embed(self.producer, self.request.output, paths, self._counter(label, len(paths)))

    def _counter(self, label: str, total: int) -> Callable[[], None]:
        return counter(self.on_progress, label, total)


def counter(on_progress: OnProgress, label: str, total: int) -> Callable[[], None]:
    """Return what to call each time that one more is done."""
    numbers = count(1)
    return lambda: on_progress(label, next(numbers), total)
