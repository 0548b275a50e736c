"""Values that stand for many pairs, with how far chance may have moved them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voxrelay.checks.judges.measures import BY_KEY, MEASURES, Measure, Values
from voxrelay.relay.comparison import Comparison, Row, Trial

ALL = "all"
_DRAWS = 2000
Scored = Sequence[tuple[Trial, Values]]


@dataclass(frozen=True)
class Estimate:
    """A value, the pairs behind it, and its 95 % interval by the percentile bootstrap over pairs."""

    count: int
    value: float
    low: float
    high: float


def estimate(values: Sequence[float], measure: Measure) -> Estimate | None:
    """Estimate the value that stands for many; None of none. The same values give the same interval."""
    if not values:
        return None
    draws = np.random.default_rng(0).choice(np.asarray(values), (_DRAWS, len(values)))
    many = np.median(draws, axis=1) if measure.of_many == "median" else draws.mean(axis=1)
    low, high = np.percentile(many, (2.5, 97.5))
    return Estimate(len(values), measure.value(values), float(low), float(high))


@dataclass(frozen=True)
class Summary:
    """Estimates by group of pairs, row and measure; ``differences`` by pipeline and what is compared."""

    rows: Sequence[Row]
    groups: Sequence[str]
    estimates: Mapping[tuple[str, str, str], Estimate]
    differences: Mapping[tuple[str, str], Estimate]

    def of(self, row: str, key: str, group: str = ALL) -> Estimate | None:
        """Return one estimate, if there is one."""
        return self.estimates.get((group, row, key))


def summarise(comparison: Comparison, scored: Scored) -> Summary:
    """Estimate every measure of every row, of all pairs and of each group of them."""
    groups = sorted({trial.group for trial, _ in scored})
    estimates = {}
    for group in (ALL, *groups):
        for row in comparison.rows:
            mine = [values for trial, values in scored if trial.row == row.name and group in (ALL, trial.group)]
            for measure in MEASURES:
                if found := estimate(_present(values[measure.key] for values in mine), measure):
                    estimates[group, row.name, measure.key] = found
    return Summary(comparison.rows, groups, estimates, differences(comparison.rows, scored))


def differences(rows: Sequence[Row], scored: Scored) -> dict[tuple[str, str], Estimate]:
    """Compare rows pair by pair: what each is worth shows only against its controls."""
    by_row: dict[str, dict[str, Values]] = {row.name: {} for row in rows}
    for trial, values in scored:
        by_row[trial.row][trial.pair] = values
    found = {}
    for row, what, key, other, other_key in _comparisons(rows):
        pairs = by_row[row].keys() & by_row[other].keys()
        both = ((by_row[row][pair][key], by_row[other][pair][other_key]) for pair in sorted(pairs))
        gaps = [one - another for one, another in both if one is not None and another is not None]
        if made := estimate(gaps, BY_KEY["secs_target"]):
            found[row, what] = made
    return found


def _comparisons(rows: Sequence[Row]) -> Iterable[tuple[str, str, str, str, str]]:
    """Yield row, what it is called, measure, the row it is held against, and that one's measure."""
    kinds = {(row.kind, row.pipeline): row.name for row in rows}
    source, trip = (next((row.name for row in rows if row.kind == kind), "") for kind in ("source", "round trip"))
    for row in rows:
        if row.kind == "copy synthesis":
            yield row.name, "OVR above the recording", "ovr", source, "ovr"
            yield row.name, "CER above the round trip", "cer", trip, "cer"
            yield row.name, "WER above the round trip", "wer", trip, "wer"
        if row.kind != "pipeline":
            continue
        yield row.name, "SECS to target less SECS to source", "secs_target", row.name, "secs_source"
        yield row.name, "independent encoder, to target less to source", "encoder_target", row.name, "encoder_source"
        if nearest := kinds.get(("nearest voice", row.pipeline)):
            yield row.name, "SECS to target above nearest training voice", "secs_target", nearest, "secs_target"
        if shuffled := kinds.get(("shuffled voice", row.pipeline)):
            yield row.name, "SECS to target above shuffled voice", "secs_target", shuffled, "secs_target"
            yield row.name, "independent encoder above shuffled voice", "encoder_target", shuffled, "encoder_target"
        yield row.name, "CER above the round trip", "cer", trip, "cer"
        yield row.name, "WER above the round trip", "wer", trip, "wer"
        if copied := kinds.get(("copy synthesis", row.pipeline.split("+")[-1])):
            yield row.name, "OVR above copy synthesis", "ovr", copied, "ovr"


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
