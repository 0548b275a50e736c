"""Training of an acoustic model, as :mod:`~voxrelay.training.run` runs it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.training import card, checkpoint, held_back, phases, virtual
from voxrelay.training.cache import Cache
from voxrelay.training.feed import feed
from voxrelay.training.mel import material
from voxrelay.training.mel.batches import Batches, Source, Told
from voxrelay.training.mel.config import MelConfig, MelPhase
from voxrelay.training.mel.ears import ContentEar, VoiceEar
from voxrelay.training.mel.learning import Figures, Learner
from voxrelay.training.mel.listening import Listener, Lite
from voxrelay.training.mel.material import Material
from voxrelay.training.mel.reading import reader
from voxrelay.training.mel.state import MelState
from voxrelay.training.mel.validation import Validation
from voxrelay.training.mel.xvector import xvector
from voxrelay.workers.content import encoder
from voxrelay.workers.mel import networks
from voxrelay.workers.mel.networks import Network

_ABOUT = """\
Acoustic model in the style of {style}.
It makes a log-mel spectrogram and claims none of the published figures. It was trained on content of `{content}`,
whose weights are {weights}.
safetensors; its shape stands in the header."""
_STYLES = {
    "gr0": "GR0 (ICASSP 2024): content, pitch and loudness by time, the latter of broad bands as well, one vector in "
    "every layer: a Resemblyzer embedding with the register and the mean spectrum of the reference",
    "autovc-f0": "AutoVC_F0 (arXiv 2004.07370): content through a narrow neck, a melody without its register",
}
_MEASURED = """\
The middle three seconds of one recording of each, unseen in training, said again in their own voice: L1 of the log-mel
(natural logarithm), the same when all that is told of the voice is another speaker's, and variance over time as a share
of the true one's. None of these is an opinion of a listener."""


class MelRecipe:
    """Implements :class:`~voxrelay.training.run.Recipe`; its cache is at 16 kHz.

    Args:
        config: the hyper-parameters.
        cache: recordings.
        weights: of contentvec-lite, the frozen listener to what it says.
        device: to train on.
        listener: whose content it is trained on; None: that of those weights.

    Raises:
        BadConfigError: the configuration is that of a run on other content.

    """

    RATE = clock.RATE

    def __init__(
        self, config: MelConfig, cache: Cache, weights: Path, device: torch.device, listener: Listener | None = None
    ) -> None:
        self._device, self._listener = device, listener or Lite(weights)
        if config.content not in ("", self._listener.key):
            what = f"content {self._listener.key}, the run was on {config.content}"
            raise BadConfigError(what, hint="name the same --content and --encoder")
        found = material.prepare(cache, self._listener)
        shape = replace(config.shape, features=found.width)
        self.course = config = replace(config, shape=shape, content=self._listener.key)
        held = held_back.speakers(cache.clips, config.held_back)
        real = Source(cache, found, held, config)
        sources = {real: 1.0}
        if config.virtual.share:
            made = virtual.prepare(cache, held, config.virtual)
            other = Source(made, material.prepare(made, self._listener), (), config)
            sources = {real: 1 - config.virtual.share, other: config.virtual.share}
        self._batches = Batches(sources, config.seed)
        self._validation = Validation(cache, found, real.speakers, held, config.shape)
        self.state = MelState(config, device)
        self._learner = Learner(
            self.state,
            listen=lambda: self._listeners(cache, found, weights),
            read=lambda: reader(cache, found, held, config.content).to(device),
            know=lambda: xvector(cache, found.mels, held).to(device),
        )

    def _listeners(self, cache: Cache, found: Material, weights: Path) -> tuple[VoiceEar, ContentEar]:
        voice, content = VoiceEar(cache, found.mels), ContentEar(cache, found.mels, encoder.read(weights))
        return voice.to(self._device), content.to(self._device)

    @property
    def phases(self) -> Sequence[MelPhase]:
        """Phases in turn."""
        return self.course.phases

    def start_from(self, weights: Path) -> None:
        """Take over exported weights."""
        self.state.start_from(weights)

    def feed(self, steps: range) -> Iterator[Told]:
        """Draw the batches of steps of one phase."""
        phase, _ = phases.at(self.phases, steps.start)
        lend = phase.convert and phase.lend
        return feed(lambda step: self._batches.batch(step, phase.batch, phase.crop, lend=lend), steps, self._device)

    def learn(self, batch: Told) -> Figures:
        """Take one step."""
        return self._learner.learn(batch.to(self._device))

    def measure(self) -> dict[str, float]:
        """Look at the held-back speakers with the average."""
        return dict(self._validation.measure(self.state.average))

    @property
    def exported(self) -> Network:
        """The generator's moving average."""
        average: Network = self.state.average
        return average

    @property
    def about(self) -> str:
        """What the card says the model is."""
        style, digest = _STYLES[networks.name(self.course.shape)], self._listener.weights
        weights = f"of sha256 `{digest}`" if digest else "none"
        return _ABOUT.format(style=style, content=self._listener.name, weights=weights)

    @property
    def command(self) -> str:
        """What follows ``vox train`` to make it again."""
        return f"mel --data metadata.csv {self._listener.options} --config config.yml --out RUN"

    def figures(self, measured: dict[str, float]) -> str:
        """Lay out what :meth:`measure` found for the card."""
        rows = card.by_group(measured, ("mel", "stranger", "lively"))
        found = card.table(("held-back speakers", "mel L1", "driven by a stranger", "variance"), rows)
        return f"{_MEASURED}\n\n{found}"

    def write(self, to: Path) -> None:
        """Write what :mod:`~voxrelay.workers.mel.following` loads."""
        checkpoint.write_half(self.exported, networks.facts(self.course.shape, self._listener.name), to)
