"""The report of a batch: what became of each row, as a CSV file."""

import csv
from collections.abc import Iterable
from pathlib import Path

from voxrelay.producer.batch import Outcome

REPORT = "report.csv"
_COLUMNS = ("source", "voice", "output", "state", "job", "seconds", "error")


def write_report(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write what is known of each row; readers see the old report or the new one."""
    partial = path.with_suffix(".csv.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for one in outcomes:
            places = (one.row.source, "+".join(one.row.voice), one.row.output)
            writer.writerow([*places, one.state, one.job, f"{one.seconds:.2f}", one.error])
    partial.replace(path)
