"""Have an evaluation's sounds judged, and its report written, in an environment that holds the judges."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voxrelay.fleet import checks
from voxrelay.producer.producer import Producer

ENVIRONMENT = "evaluation"
OnProgress = Callable[[str, int, int], None]


def judge(producer: Producer, folder: Path, judges: Path, on_progress: OnProgress) -> None:
    """Have every sound of ``comparison.json`` judged that was not yet.

    Args:
        producer: whose configuration is used.
        folder: of the evaluation.
        judges: folder of their weights; a judge that is not there is left out.
        on_progress: is told how many of the sounds are judged.

    """

    def heard(line: str) -> None:
        done, total = line.split("/")
        on_progress("judging", int(done), int(total))

    _run(producer, "hear", str(folder), str(judges), on_line=heard)


def report(producer: Producer, folder: Path, judges: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Judge, and write figures, tables and the page to listen; returns the summary."""
    judge(producer, folder, judges, on_progress)
    found: dict[str, Any] = json.loads(_run(producer, "report", str(folder)))
    return found


def grid(producer: Producer, folder: Path, judges: Path, page: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Judge, and write one page that holds everything; returns the measures of every row."""
    judge(producer, folder, judges, on_progress)
    found: dict[str, Any] = json.loads(_run(producer, "grid", str(folder), str(page)))
    return found


def _run(producer: Producer, program: str, *arguments: str, on_line: checks.OnLine | None = None) -> str:
    module = f"judges.{program}"
    return checks.run(producer.config, module, *arguments, note=producer.note, environment=ENVIRONMENT, on_line=on_line)
