"""The course of a run: one JSON object a line, as it happens."""

import json
import time
from pathlib import Path
from typing import Any


class Curve:
    """Appends records to a JSONL file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, step: int, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Append a record; figures are kept to six digits."""
        rounded = {name: float(f"{fact:.6g}") if isinstance(fact, float) else fact for name, fact in facts.items()}
        record = {"step": step, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **rounded}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def read(path: Path, having: str) -> list[dict[str, Any]]:
    """Return the records that have a fact of that name."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [record for record in records if having in record]
