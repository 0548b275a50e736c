"""Put the tables that `make bench` filed into docs/performance.md and docs/scaling.md: between the marks of each."""

import json
import re
import subprocess
import sys
from pathlib import Path

from bench import RESULTS, ROOT

PAGES = ("performance", "scaling")


def table(name: str) -> str:
    """Return what a benchmark found last, as it printed it; nothing if it was not run."""
    if name == "capacity":
        command = [sys.executable, Path(__file__).with_name("capacity.py")]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text())
    held = {True: "yes", False: "**no**", None: "-"}
    lines = ["| what | compared with | must | came | held |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['what']} | {row['against']} | {row['bound']} | {row['measured']} | {held[row['held']]} |"
        for row in found["rows"]
    ]
    where = ", ".join(f"{key} {value}" for key, value in found["machine"].items())
    return "\n".join([*lines, "", f"({where}.) Leans to: {found['bias']}"])


def main() -> None:
    """Fill both pages; a benchmark that was not run leaves its place as it is."""
    for page in PAGES:
        path = ROOT / "docs" / f"{page}.md"
        text = path.read_text()
        for name in re.findall(r"<!-- (\w+) -->", text):
            if found := table(name):
                begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
                before, _, rest = text.partition(begin)
                text = f"{before}{begin}\n\n{found}\n\n{end}{rest.partition(end)[2]}"
        path.write_text(text)


if __name__ == "__main__":
    main()
