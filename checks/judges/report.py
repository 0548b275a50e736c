"""Write the report of an evaluation: ``python -m voxrelay.checks.judges.report FOLDER``; prints the summary as JSON."""

import json
import sys
from pathlib import Path

from voxrelay.checks.judges import figures, page, tables
from voxrelay.checks.judges.measures import MEASURES, Scorer
from voxrelay.checks.judges.statistics import summarise
from voxrelay.relay.comparison import Comparison

_JUDGES = {"secs_target": "speaker pool", "encoder_target": "independent encoder", "ovr": "DNSMOS"}


def main(folder: Path) -> None:
    """Write tables, figures and the page to listen."""
    comparison = Comparison.read(folder)
    scorer = Scorer(folder, comparison)
    scored = [(trial, scorer.measure(trial)) for trial in comparison.trials]
    silent = {measure.key for measure in MEASURES if all(values[measure.key] is None for _, values in scored)}
    missing = [f"Not measured, for its judge is missing: {name}." for key, name in _JUDGES.items() if key in silent]
    comparison = comparison.model_copy(update={"notes": [*comparison.notes, *missing]})
    summary = summarise(comparison, scored)
    tables.write_scores(folder / "scores.csv", scored)
    tables.write_summary(folder / "summary.csv", summary)
    (folder / "report.md").write_text(tables.markdown(comparison, summary))
    drawn = figures.draw(folder, summary, scored)
    page.write(folder / "listen.html", comparison, scored, drawn)
    sys.stdout.write(json.dumps({**tables.as_json(summary), "figures": drawn, "notes": comparison.notes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
