"""The measures of an evaluation: what each means, and how a trial is measured by it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxrelay.checks.judges import pitch
from voxrelay.checks.judges.reading import character_errors, plain, word_errors
from voxrelay.relay.comparison import Comparison, Kind, Trial, known
from voxrelay.relay.tensors import Voice

Vector = NDArray[np.floating[Any]]
Values = dict[str, float | None]
# Rows that say something else than the source, or are there for their voice: the recogniser is slow.
WORDLESS: tuple[Kind, ...] = ("ground truth", "nearest voice", "shuffled voice")


@dataclass(frozen=True)
class Measure:
    """One column: its key in the CSV, its title, and which value stands for many pairs."""

    key: str
    title: str
    of_many: Literal["mean", "median"] = "mean"

    def value(self, values: Sequence[float]) -> float:
        """Return the value that stands for many."""
        return float(np.median(values) if self.of_many == "median" else np.mean(values))


MEASURES = (
    Measure("secs_target", "SECS to target"),
    Measure("secs_source", "SECS to source"),
    Measure("secs_nearer", "target nearer (SECS)"),
    Measure("secs_other", "SECS to target's other recordings"),
    Measure("encoder_target", "independent encoder, to target"),
    Measure("encoder_source", "independent encoder, to source"),
    Measure("encoder_nearer", "target nearer (independent encoder)"),
    Measure("cer", "CER against the reading of the source"),
    Measure("wer", "WER against the reading of the source"),
    Measure("cer_text", "CER against the text"),
    Measure("wer_text", "WER against the text"),
    Measure("sig", "DNSMOS SIG"),
    Measure("bak", "DNSMOS BAK"),
    Measure("ovr", "DNSMOS OVR"),
    Measure("f0_pcc", "F0-PCC, median pair", "median"),
    Measure("register", "register error, semitones"),
    Measure("pace", "real-time factor"),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


class Scorer:
    """Measures trials of an evaluation by what is known about their sounds."""

    def __init__(self, folder: Path, comparison: Comparison) -> None:
        self._folder = folder
        self._kinds = {row.name: row.kind for row in comparison.rows}
        self._facts = lru_cache(maxsize=None)(self._read_facts)
        self._voice = lru_cache(maxsize=None)(self._read_voice)

    def measure(self, trial: Trial) -> Values:
        """Return all measures of a trial; None where a judge is missing or the measure has no meaning."""
        found: Values = dict.fromkeys(BY_KEY)
        found |= self._similarity(trial, "secs", self._voice)
        found |= self._similarity(trial, "encoder", lambda name: self._facts(name).get("encoder"))
        heard, target = self._facts(trial.sound), self._facts(trial.reference)
        found |= dict(zip(("sig", "bak", "ovr"), heard.get("dnsmos", ()), strict=False))
        found["register"] = pitch.interval(_contour(heard), _contour(target))
        found["pace"] = trial.pace
        if self._kinds[trial.row] != "ground truth":
            found["f0_pcc"] = pitch.correlation(_contour(heard), self.contour(trial.source))
        if self._kinds[trial.row] not in WORDLESS:
            found |= self._words(trial)
        return found

    def contour(self, sound: str) -> pitch.Contour:
        """Return the F0 of a sound, named as in the comparison."""
        return _contour(self._facts(sound))

    def _similarity(self, trial: Trial, name: str, of: Callable[[str], Any]) -> Values:
        sound, target, source = (of(path) for path in (trial.sound, trial.reference, trial.source))
        if sound is None or target is None or source is None:
            return {}
        found: Values = {f"{name}_target": _cosine(sound, target), f"{name}_source": _cosine(sound, source)}
        found[f"{name}_nearer"] = float(_cosine(sound, target) > _cosine(sound, source))
        other = of(trial.other) if trial.other not in {"", trial.sound} else None
        if name == "secs" and other is not None:
            found["secs_other"] = _cosine(sound, other)
        return found

    def _words(self, trial: Trial) -> Values:
        reading, wanted = (self._facts(name)["reading"] for name in (trial.sound, trial.source))
        text = plain(trial.text)
        return {
            "cer": character_errors(reading, wanted),
            "wer": word_errors(reading, wanted),
            "cer_text": character_errors(reading, text),
            "wer_text": word_errors(reading, text),
        }

    def _read_facts(self, name: str) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(known(self._folder, "judged", self._folder / name).read_text())
        return facts

    def _read_voice(self, name: str) -> Vector | None:
        kept = known(self._folder, "voices", self._folder / name)
        return Voice.from_bytes(kept.read_bytes()).data if kept.exists() else None


def _contour(facts: dict[str, Any]) -> pitch.Contour:
    return np.asarray(facts["pitch"], dtype=np.float64)


def _cosine(one: Sequence[float] | Vector, other: Sequence[float] | Vector) -> float:
    return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))
