"""The figures of an evaluation as CSV and Markdown."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from voxrelay.checks.judges.measures import BY_KEY, MEASURES
from voxrelay.checks.judges.statistics import ALL, Estimate, Scored, Summary
from voxrelay.relay.comparison import Comparison

# Tables of a report, each with its heading.
_TABLES = {
    "Whose voice": (
        ["secs_target", "secs_source", "secs_nearer", "secs_other"],
        ["encoder_target", "encoder_source", "encoder_nearer"],
    ),
    "Which words": (["cer", "wer"], ["cer_text", "wer_text"]),
    "How clean": (["sig", "bak", "ovr"],),
    "Which melody, how fast": (["f0_pcc", "register", "pace"],),
}
_BY_GROUP = (
    "secs_target", "secs_source", "encoder_target", "encoder_source", "cer", "wer", "ovr", "f0_pcc", "register"
)  # fmt: skip


def write_scores(path: Path, scored: Scored) -> None:
    """Write one line a trial; without a judge, a field is empty."""
    lines = ([one.row, one.pair, one.group, *map(_number, values.values())] for one, values in scored)
    _write(path, ["row", "pair", "group", *BY_KEY], lines)


def write_summary(path: Path, summary: Summary) -> None:
    """Write one line for every row, group of pairs and measure."""
    estimates: Iterator[tuple[str, str, str, Estimate]] = (
        (row, group, key, found) for (group, row, key), found in summary.estimates.items()
    )
    compared = ((row, ALL, f"difference: {what}", found) for (row, what), found in summary.differences.items())
    found = [*estimates, *compared]
    lines = ([*names, one.count, *map(_number, (one.value, one.low, one.high))] for *names, one in found)
    _write(path, ["row", "group", "measure", "pairs", "value", "low", "high"], lines)


def markdown(comparison: Comparison, summary: Summary) -> str:
    """Write the report as text."""
    parts = ["# Evaluation", _introduction(summary)]
    for heading, tables in _TABLES.items():
        made = [_table(summary, keys) for keys in tables]
        if any(made):
            parts += [f"## {heading}", *filter(None, made)]
    parts += ["## Against the controls, pair by pair", _differences(summary)]
    if len(summary.groups) > 1:
        parts += ["## By direction", _groups(summary)]
    if comparison.notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in comparison.notes)]
    return "\n\n".join(parts) + "\n"


def _introduction(summary: Summary) -> str:
    count = max((one.count for one in summary.estimates.values()), default=0)
    return (
        f"{count} pairs. Every value is the mean over pairs (of F0-PCC the median) with its 95 % interval, by a\n"
        "bootstrap over pairs, in brackets, and the count of pairs where it is not all of them. SECS is the cosine\n"
        "of Resemblyzer embeddings to the reference the conversion was given. CER and WER are those of a small\n"
        "recogniser against its own reading of the unconverted source. `round trip` is the source resampled and\n"
        "back: what judges make of it is their own error. `copy synthesis` is the vocoder on the true mel."
    )


def _table(summary: Summary, keys: Sequence[str]) -> str:
    shown = _measured(summary, keys)
    if not shown:
        return ""
    most = max(one.count for one in summary.estimates.values())
    lines = [["row", *(BY_KEY[key].title for key in shown)]]
    lines += [[row.name, *(_cell(summary.of(row.name, key), most) for key in shown)] for row in summary.rows]
    return _markdown(lines)


def _differences(summary: Summary) -> str:
    lines = [["row", "difference", "value"]]
    lines += [[row, what, _cell(one, one.count, sign="+")] for (row, what), one in summary.differences.items()]
    return _markdown(lines)


def _groups(summary: Summary) -> str:
    shown = _measured(summary, _BY_GROUP)
    lines = [["row", "pairs", *(BY_KEY[key].title for key in shown)]]
    for row in summary.rows:
        for group in summary.groups:
            found = [summary.of(row.name, key, group) for key in shown]
            if any(found):
                lines.append([row.name, group, *(f"{one.value:.2f}" if one else "" for one in found)])
    return _markdown(lines)


def _measured(summary: Summary, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if any(summary.of(row.name, key) for row in summary.rows)]


def _cell(one: Estimate | None, most: int, sign: str = "") -> str:
    if one is None:
        return ""
    count = "" if one.count == most else f", n = {one.count}"
    return f"{one.value:{sign}.3f} [{one.low:{sign}.3f}, {one.high:{sign}.3f}]{count}"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, "|" + "---|" * len(lines[0]), *body])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _write(path: Path, head: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)


def as_json(summary: Summary) -> dict[str, Any]:
    """Return all estimates as plain data, by row and measure, and the differences by row."""
    rows: dict[str, dict[str, Any]] = {row.name: {} for row in summary.rows}
    for row in summary.rows:
        for measure in MEASURES:
            if found := summary.of(row.name, measure.key):
                rows[row.name][measure.key] = vars(found)
    compared = [{"row": row, "what": what, **vars(one)} for (row, what), one in summary.differences.items()]
    return {"rows": rows, "differences": compared}
