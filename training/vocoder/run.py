"""A run: steps, looks at the held-back speakers and checkpoints, until it is done or told to end."""

import hashlib
import json
import logging
import time
from pathlib import Path

import torch
import yaml

from voxrelay.relay.errors import BadConfigError
from voxrelay.training import checkpoint, held_back
from voxrelay.training.cache import Cache
from voxrelay.training.config import plain
from voxrelay.training.crops import Crops
from voxrelay.training.curve import Curve
from voxrelay.training.spectra import MARGIN
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.training.vocoder.learning import Figures, Learner
from voxrelay.training.vocoder.state import State
from voxrelay.training.vocoder.validation import Validation

CURVE, CONFIG, ORIGIN = "curve.jsonl", "config.yml", "origin.json"
_log = logging.getLogger(__name__)


class Run:
    """One run and its folder.

    There: ``last.pt``, ``PHASE.pt`` of every finished phase, ``curve.jsonl``, ``config.yml``, and
    ``origin.json`` about the weights it began with.
    """

    def __init__(self, config: VocoderConfig, cache: Cache, out: Path, device: torch.device) -> None:
        self.state = State(config, device)
        self._config, self._out, self._device = config, out, device
        held = held_back.speakers(cache.clips, config.held_back)
        self._crops = Crops(cache, held, config.crops, config.seed)
        self._validation = Validation(cache, held, device)
        self._learner = Learner(self.state)
        self._curve = Curve(out / CURVE)
        self._saved = time.monotonic()
        self._told_to_end = False

    def start(self, init: Path | None = None, source: str = "") -> None:
        """Begin a run, from a generator's weights where there are any.

        Args:
            init: ``{'generator': state_dict}``.
            source: who published those weights, and under which licence; the model card says so.

        Raises:
            BadConfigError: the folder already holds a run, or the file no generator of this variant.

        """
        if (self._out / checkpoint.LAST).exists():
            raise BadConfigError("holds a run already", where=str(self._out), hint="go on with --resume")
        self._out.mkdir(parents=True, exist_ok=True)
        if init:
            self.state.start_from(init)
            origin = {"file": init.name, "sha256": hashlib.sha256(init.read_bytes()).hexdigest(), "source": source}
            (self._out / ORIGIN).write_text(json.dumps(origin, indent=1), encoding="utf-8")
        self._validate()

    def resume(self) -> None:
        """Go on from the last checkpoint; phases may have been changed, networks may not."""
        self.state.from_dict(checkpoint.load(self._out / checkpoint.LAST))

    def go(self, until: int | None = None) -> None:
        """Train to the end of all phases, to the step ``until``, or until :meth:`end` is called."""
        (self._out / CONFIG).write_text(yaml.safe_dump(plain(self._config), sort_keys=False), encoding="utf-8")
        last = min(until or self._config.steps, self._config.steps)
        while self.state.step < last and not self._told_to_end:
            phase, begin = self._config.phase_at(self.state.step)
            _log.info("phase %s from step %d", phase.name, self.state.step)
            steps = range(self.state.step, min(begin + phase.steps, last))
            self._train(steps, phase.batch, phase.crop)
            if self.state.step == begin + phase.steps:
                checkpoint.save(self.state.to_dict(), self._out / f"{phase.name}.pt")
        self._save()

    def end(self) -> None:
        """End after the step in progress, with a checkpoint; safe in a signal handler."""
        self._told_to_end = True

    def _train(self, steps: range, batch: int, crop: int) -> None:
        recent: list[Figures] = []
        since = time.monotonic()
        for sound in self._crops.feed(steps, batch, crop + 2 * MARGIN):
            recent.append(self._learner.learn(torch.from_numpy(sound).to(self._device)))
            step = self.state.step
            if step % self._config.log_every == 0:
                self._record(recent, (time.monotonic() - since) / len(recent))
                recent, since = [], time.monotonic()
            if step % self._config.validate_every == 0:
                self._validate()
                since = time.monotonic()
            if time.monotonic() - self._saved > 60 * self._config.checkpoint_minutes:
                self._save()
            if self._told_to_end:
                break

    def _record(self, recent: list[Figures], seconds: float) -> None:
        """Note the means of recent losses, and the seconds a step took."""
        means = {name: float(torch.stack([figures[name] for figures in recent]).mean()) for name in recent[-1]}
        phase, _ = self._config.phase_at(self.state.step - 1)
        self._curve.add(self.state.step, phase=phase.name, seconds_per_step=seconds, **means)

    def _validate(self) -> None:
        found = {name: round(value, 5) for name, value in self._validation.measure(self.state.average).items()}
        self._curve.add(self.state.step, held_back=found, speakers=self._validation.speakers)
        _log.info("step %d: held-back mel %.4f, stft %.4f", self.state.step, found["mel"], found["stft"])

    def _save(self) -> None:
        checkpoint.save(self.state.to_dict(), self._out / checkpoint.LAST)
        self._saved = time.monotonic()
