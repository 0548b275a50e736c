"""Training of a vocoder, as :mod:`~voxrelay.training.run` runs it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.tensors import MEL
from voxrelay.training import card, checkpoint, held_back, phases
from voxrelay.training.cache import Cache
from voxrelay.training.crops import Crops
from voxrelay.training.feed import feed
from voxrelay.training.run import Figures
from voxrelay.training.spectra import MARGIN
from voxrelay.training.vocoder.asked import Asked
from voxrelay.training.vocoder.config import VocoderConfig, VocoderPhase
from voxrelay.training.vocoder.learning import Batch, Learner
from voxrelay.training.vocoder.state import VocoderState
from voxrelay.training.vocoder.validation import Validation
from voxrelay.workers.vocoder.generator import Generator

_ABOUT = """\
HiFi-GAN {variant} generator (arXiv 2010.05646): log-mel spectrogram to sound at {rate} Hz.
It takes `{mel}` and no other mel. Recordings at 16 kHz end at 8 kHz, and so does this voice.
The file is `{{'generator': state_dict}}`."""
_MEASURED = """\
Copy synthesis of the middle three seconds of one recording of each, unseen in training: L1 of the log-mel (natural
logarithm) and multi-resolution STFT loss (arXiv 1910.11480); predicted mels are those that an acoustic model makes of
the same recordings, held against what was recorded. Lower is better; neither is an opinion of a listener."""


class VocoderRecipe:
    """Implements :class:`~voxrelay.training.run.Recipe`; its cache is at 22.05 kHz.

    Args:
        config: the hyper-parameters.
        cache: recordings.
        device: to train on.
        asked: where phases have the mels from that an acoustic model asks for; whoever only exports needs none.

    """

    RATE = clock.SOUND_RATE

    def __init__(self, config: VocoderConfig, cache: Cache, device: torch.device, asked: Asked | None = None) -> None:
        self.course, self._device, self._asked = config, device, asked
        held = held_back.speakers(cache.clips, config.held_back)
        self._crops = Crops(cache, held, config.crops, config.seed)
        self._validation = Validation(cache, held, device, asked)
        self.state = VocoderState(config, device)
        self._learner = Learner(self.state)

    @property
    def phases(self) -> Sequence[VocoderPhase]:
        """Phases in turn."""
        return self.course.phases

    def start_from(self, weights: Path) -> None:
        """Take over a generator, ``{'generator': state_dict}``."""
        self.state.start_from(weights)

    def feed(self, steps: range) -> Iterator[Batch]:
        """Draw the batches of steps of one phase.

        Raises:
            BadConfigError: a phase, be it a later one, says what an acoustic model asks for, and there is none.

        """
        if not self._asked and (wanting := [phase.name for phase in self.phases if phase.acoustic]):
            raise BadConfigError(f"phase {wanting[0]} says what an acoustic model asks for, and none is named",
                                 hint="--acoustic GR0.safetensors")  # fmt: skip
        phase, _ = phases.at(self.phases, steps.start)
        frames = phase.crop // MEL.hop

        def draw(step: int) -> Batch:
            sound = torch.from_numpy(self._crops.batch(step, phase.batch, phase.crop + 2 * MARGIN))
            predicted = asked = torch.zeros(0, MEL.bands, frames)
            if self._asked and phase.predicted:
                predicted, recorded = self._asked.predicted(step, phase.predicted, frames)
                sound = torch.cat([sound, recorded])
            if self._asked and phase.asked:
                asked = self._asked.batch(step, phase.asked, frames)
            return Batch(sound, predicted, asked)

        return feed(draw, steps, self._device)

    def learn(self, batch: Batch) -> Figures:
        """Take one step."""
        return self._learner.learn(batch.to(self._device))

    def measure(self) -> dict[str, float]:
        """Look at the held-back speakers with the average."""
        return dict(self._validation.measure(self.state.average))

    @property
    def exported(self) -> Generator:
        """The generator's moving average."""
        average: Generator = self.state.average
        return average

    @property
    def about(self) -> str:
        """What the card says the model is."""
        return _ABOUT.format(variant=self.course.variant.upper(), rate=clock.SOUND_RATE, mel=MEL.fingerprint)

    @property
    def command(self) -> str:
        """What follows ``vox train`` to make it again."""
        asking = " --acoustic GR0.safetensors" if any(phase.acoustic for phase in self.phases) else ""
        return f"vocoder --data metadata.csv{asking} --config config.yml --out RUN"

    def figures(self, measured: dict[str, float]) -> str:
        """Lay out what :meth:`measure` found for the card."""
        rows = card.by_group(measured, ("mel", "stft"))
        if "predicted_mel" in measured:
            rows.append(["predicted mels", *(f"{measured[name]:.4f}" for name in ("predicted_mel", "predicted_stft"))])
        return f"{_MEASURED}\n\n{card.table(('held-back speakers', 'mel L1', 'STFT'), rows)}"

    def write(self, to: Path) -> None:
        """Write ``{'generator': state_dict}``, which :mod:`~voxrelay.workers.vocoder.hifigan` loads."""
        weights = {name: tensor.half() for name, tensor in self.exported.state_dict().items()}
        checkpoint.save({"generator": weights}, to)
