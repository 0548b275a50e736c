"""Training of a content encoder, as :mod:`~voxrelay.training.run` runs it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path

import torch

from voxrelay.relay import clock
from voxrelay.training import card, checkpoint, held_back, phases
from voxrelay.training.cache import Cache
from voxrelay.training.content import hiding
from voxrelay.training.content.batches import Batch, Batches
from voxrelay.training.content.config import ContentConfig, ContentPhase
from voxrelay.training.content.learning import Figures, Learner
from voxrelay.training.content.state import ContentState, Heads
from voxrelay.training.content.validation import Validation
from voxrelay.training.content.views import Views
from voxrelay.training.feed import feed
from voxrelay.training.spectra import mel_filters
from voxrelay.workers.content import bands
from voxrelay.workers.content.encoder import Encoder

_ABOUT = """\
Content encoder: sound at 16 kHz to 50 frames/s of what is said, in the manner of ContentVec (arXiv 2204.09224) but
with a network, a size and figures of its own. safetensors; its shape stands in the header."""
_MEASURED = """\
Cosine of a frame in two disguises (same) and of two frames at random (other); share of frames on the phone that the
text puts there, and phone error rate of frames read without a text or a language model. The probe is linear, from
single frames to one of the held-back speakers of the largest corpus."""
_NORMALISED_ON = 8  # batches


class ContentRecipe:
    """Implements :class:`~voxrelay.training.run.Recipe`; its cache is at 16 kHz."""

    RATE = clock.RATE

    def __init__(self, config: ContentConfig, cache: Cache, device: torch.device) -> None:
        self.course, self._device = config, device
        held = held_back.speakers(cache.clips, config.held_back)
        views = Views(config.views, torch.from_numpy(mel_filters(bands.SPEC)))
        self._batches = Batches(cache, held, config, views)
        self._validation = Validation(cache, held, config, views)
        self._spoken = partial(hiding.spoken, cache, held, views)
        self.state = ContentState(config, len(self._batches.speakers), device)
        self._learner = Learner(self.state)
        self._normalise()

    @property
    def phases(self) -> Sequence[ContentPhase]:
        """Phases in turn."""
        return self.course.phases

    def start_from(self, weights: Path) -> None:
        """Take over an exported encoder, and its normalisation."""
        self.state.start_from(weights)

    def feed(self, steps: range) -> Iterator[Batch]:
        """Draw the batches of steps of one phase."""
        phase, _ = phases.at(self.phases, steps.start)
        return feed(lambda step: self._batches.batch(step, phase.frames), steps, self._device)

    def learn(self, batch: Batch) -> Figures:
        """Take one step."""
        return self._learner.learn(batch.to(self._device))

    def measure(self) -> dict[str, float]:
        """Look at the held-back speakers with the averages; once there is one, with what is exported."""
        learnt = self.state.average, self.state.heads_average
        return dict(self._validation.measure(*self.__dict__.get("_finished", learnt)))

    def _normalise(self) -> None:
        """Measure the constants of normalisation on the first batches."""
        heard = []
        for step in range(_NORMALISED_ON):
            batch = self._batches.batch(step, 1024)
            views = batch.views[:, batch.mask.repeat_interleave(2, dim=1) > 0]
            heard.append(views.flatten(0, 1))
        self.state.normalise(torch.cat(heard).to(self._device))

    @property
    def exported(self) -> Encoder:
        """The encoder's moving average, without the directions in which speakers differ most."""
        return self._finished[0]

    @cached_property
    def _finished(self) -> tuple[Encoder, Heads]:
        heard = [each.to(self._device) for each in self._spoken()]
        learnt = self.state.average, self.state.heads_average
        made: tuple[Encoder, Heads] = hiding.hide(*learnt, heard, self.course.hidden)
        return made

    @property
    def about(self) -> str:
        """What the card says the model is."""
        return _ABOUT

    @property
    def command(self) -> str:
        """What follows ``vox train`` to make it again."""
        return "content --data metadata.csv --config config.yml --out RUN"

    def figures(self, measured: dict[str, float]) -> str:
        """Lay out what :meth:`measure` found for the card."""
        rows = card.by_group(measured, ("same", "other", "frames", "errors"))
        found = card.table(("held-back speakers", "same", "other", "frames", "errors"), rows)
        probes = (
            f"Linear probe of who speaks: {measured['probe']:.3f} on content, {measured['probe/bands']:.3f} on bands."
        )
        return f"{_MEASURED}\n\n{found}\n\n{probes}"

    def write(self, to: Path) -> None:
        """Write what :mod:`~voxrelay.workers.content.contentvec_lite` loads."""
        checkpoint.write_half(self.exported, asdict(self.course.shape), to)
