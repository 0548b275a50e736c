"""A run: steps, looks at the held-back speakers and checkpoints, until it is done or told to end."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import yaml

from voxrelay.relay.errors import BadConfigError
from voxrelay.training import checkpoint, phases
from voxrelay.training.config import plain
from voxrelay.training.curve import Curve
from voxrelay.training.phases import Course, Phase
from voxrelay.training.state import State

CURVE, CONFIG, ORIGIN = "curve.jsonl", "config.yml", "origin.json"
Figures = dict[str, torch.Tensor]
_log = logging.getLogger(__name__)


class Recipe(Protocol):
    """What a run asks of a model's recipe; ``Any`` stands for its own batches."""

    @property
    def course(self) -> Course:
        """The recipe's configuration."""
        ...

    @property
    def phases(self) -> Sequence[Phase]:
        """Phases in turn."""
        ...

    @property
    def state(self) -> State:
        """All that training changes."""
        ...

    @property
    def exported(self) -> Any:  # noqa: ANN401 - a torch module
        """The network whose weights are exported."""
        ...

    @property
    def about(self) -> str:
        """What the card says the model is."""
        ...

    @property
    def command(self) -> str:
        """What follows ``vox train`` to make it again."""
        ...

    def start_from(self, weights: Path) -> None:
        """Take over exported or published weights."""
        ...

    def feed(self, steps: range) -> Iterator[Any]:
        """Draw the batches of steps of one phase; each follows from the seed and its step alone."""
        ...

    def learn(self, batch: Any) -> Figures:  # noqa: ANN401
        """Take one step; gives its losses, scalars, and counts it in the state."""
        ...

    def measure(self) -> dict[str, float]:
        """Look at the held-back speakers."""
        ...

    def figures(self, measured: dict[str, float]) -> str:
        """Lay out what :meth:`measure` found for the card."""
        ...

    def write(self, to: Path) -> None:
        """Write :attr:`exported` as the file that a pool loads."""
        ...


class Run:
    """One run and its folder.

    There: ``last.pt``, ``PHASE.pt`` of every finished phase, ``curve.jsonl``, ``config.yml``, and
    ``origin.json`` about the weights it began with.
    """

    def __init__(self, recipe: Recipe, out: Path) -> None:
        self.recipe, self._out = recipe, out
        self._curve = Curve(out / CURVE)
        self._saved = time.monotonic()
        self._told_to_end = False

    @property
    def state(self) -> State:
        """All that training changes."""
        return self.recipe.state

    def start(self, init: Path | None = None, source: str = "") -> None:
        """Begin a run, from weights where there are any.

        Args:
            init: the file, of whichever kind the recipe exports.
            source: who published those weights, and under which licence; the model card says so.

        Raises:
            BadConfigError: the folder already holds a run, or the file is not what the recipe trains.

        """
        if (self._out / checkpoint.LAST).exists():
            raise BadConfigError("holds a run already", where=str(self._out), hint="go on with --resume")
        self._out.mkdir(parents=True, exist_ok=True)
        if init:
            self.recipe.start_from(init)
            origin = {"file": init.name, "sha256": hashlib.sha256(init.read_bytes()).hexdigest(), "source": source}
            (self._out / ORIGIN).write_text(json.dumps(origin, indent=1), encoding="utf-8")
        self._validate()

    def resume(self) -> None:
        """Go on from the last checkpoint; phases may have been changed, networks may not."""
        self.state.from_dict(checkpoint.load(self._out / checkpoint.LAST))

    def go(self, until: int | None = None) -> None:
        """Train to the end of all phases, to the step ``until``, or until :meth:`end` is called."""
        (self._out / CONFIG).write_text(yaml.safe_dump(plain(self.recipe.course), sort_keys=False), encoding="utf-8")
        steps = phases.total(self.recipe.phases)
        last = min(until or steps, steps)
        while self.state.step < last and not self._told_to_end:
            phase, begin = phases.at(self.recipe.phases, self.state.step)
            _log.info("phase %s from step %d", phase.name, self.state.step)
            self._train(range(self.state.step, min(begin + phase.steps, last)))
            if self.state.step == begin + phase.steps:
                checkpoint.save(self.state.to_dict(), self._out / f"{phase.name}.pt")
        self._save()

    def end(self) -> None:
        """End after the step in progress, with a checkpoint; safe in a signal handler."""
        self._told_to_end = True

    def _train(self, steps: range) -> None:
        course = self.recipe.course
        recent: list[Figures] = []
        since = time.monotonic()
        for batch in self.recipe.feed(steps):
            recent.append(self.recipe.learn(batch))
            step = self.state.step
            if step % course.log_every == 0:
                self._record(recent, (time.monotonic() - since) / len(recent))
                recent, since = [], time.monotonic()
            if step % course.validate_every == 0:
                self._validate()
                since = time.monotonic()
            if time.monotonic() - self._saved > 60 * course.checkpoint_minutes:
                self._save()
            if self._told_to_end:
                break

    def _record(self, recent: list[Figures], seconds: float) -> None:
        """Note the means of recent losses, and the seconds a step took."""
        means = {name: float(torch.stack([figures[name] for figures in recent]).mean()) for name in recent[-1]}
        phase, _ = phases.at(self.recipe.phases, self.state.step - 1)
        self._curve.add(self.state.step, phase=phase.name, seconds_per_step=seconds, **means)
        said = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
        steps = phases.total(self.recipe.phases)
        _log.info("step %d of %d, %.2f s each: %s", self.state.step, steps, seconds, said)

    def _validate(self) -> None:
        found = {name: float(f"{value:.5g}") for name, value in self.recipe.measure().items()}
        self._curve.add(self.state.step, held_back=found)
        whole = ", ".join(f"{name} {value:.4g}" for name, value in found.items() if "/" not in name)
        _log.info("step %d: held back %s", self.state.step, whole)

    def _save(self) -> None:
        checkpoint.save(self.state.to_dict(), self._out / checkpoint.LAST)
        self._saved = time.monotonic()
