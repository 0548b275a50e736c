"""What stands for many pairs, and how rows are held against their controls."""

import numpy as np
import pytest

from voxrelay.checks.judges.measures import BY_KEY, Values
from voxrelay.checks.judges.statistics import ALL, estimate, summarise
from voxrelay.checks.judges.tables import markdown
from voxrelay.relay.comparison import Comparison, Row, Trial

ROWS = [
    Row(name="source", kind="source"),
    Row(name="round trip", kind="round trip"),
    Row(name="copy", kind="copy synthesis", pipeline="v"),
    Row(name="c+m+v", kind="pipeline", pipeline="c+m+v"),
    Row(name="near", kind="nearest voice", pipeline="c+m+v"),
    Row(name="wrong", kind="shuffled voice", pipeline="c+m+v"),
]


def trial(row: str, pair: int) -> Trial:
    return Trial(row=row, pair=str(pair), group="ab"[pair % 2], sound="s", source="s", reference="r")


def values(**known: float) -> Values:
    return {**dict.fromkeys(BY_KEY), **known}


def test_the_interval_holds_the_mean_and_shrinks() -> None:
    dice = np.random.default_rng(0)
    few, many = (estimate(dice.normal(5, 1, n).tolist(), BY_KEY["cer"]) for n in (10, 1000))
    assert few is not None
    assert many is not None
    assert many.low < 5 < many.high
    assert many.high - many.low == pytest.approx(4 * 1 / np.sqrt(1000), rel=0.15)
    assert few.high - few.low > 5 * (many.high - many.low)
    assert estimate([], BY_KEY["cer"]) is None


def test_of_melody_the_median_pair_counts() -> None:
    found = estimate([0.9, 0.8, -1.0], BY_KEY["f0_pcc"])
    assert found is not None
    assert found.value == 0.8


def test_differences_are_taken_pair_by_pair() -> None:
    scored = []
    for pair in range(10):
        base = pair / 10  # pairs differ far more than rows do
        scored += [
            (trial("c+m+v", pair), values(secs_target=base + 0.3, secs_source=base, cer=base + 0.2, ovr=3.0)),
            (trial("near", pair), values(secs_target=base + 0.2)),
            (trial("wrong", pair), values(secs_target=base + 0.1)),
            (trial("round trip", pair), values(cer=base)),
            (trial("copy", pair), values(ovr=3.2)),
        ]
    summary = summarise(Comparison(rows=ROWS, trials=[one for one, _ in scored]), scored)
    found = {what: round(one.value, 6) for (row, what), one in summary.differences.items() if row == "c+m+v"}
    assert found == {
        "SECS to target less SECS to source": 0.3,
        "SECS to target above nearest training voice": 0.1,
        "SECS to target above shuffled voice": 0.2,
        "CER above the round trip": 0.2,
        "OVR above copy synthesis": -0.2,
    }
    assert all(one.high - one.low < 1e-6 for one in summary.differences.values())


def test_a_pair_that_a_row_lacks_is_not_counted_there() -> None:
    scored = [(trial("c+m+v", pair), values(secs_target=0.5)) for pair in range(4)]
    scored[3] = (scored[3][0], values())
    comparison = Comparison(rows=ROWS, trials=[], notes=["One is missing."])
    summary = summarise(comparison, scored)
    everywhere, there = summary.of("c+m+v", "secs_target"), summary.of("c+m+v", "secs_target", "b")
    assert everywhere is not None
    assert there is not None
    assert (everywhere.count, there.count) == (3, 1)
    assert summary.of("near", "secs_target", ALL) is None
    text = markdown(comparison, summary)
    assert "| c+m+v | 0.500 [0.500, 0.500] |" in text
    assert "- One is missing." in text
    assert "DNSMOS" not in text, "no column of what nobody measured"
