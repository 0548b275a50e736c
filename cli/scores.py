"""The measures of an evaluation in the terminal: one line a row."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

WIDE = 160
_SHOWN = {
    "secs_target": "SECS to target",
    "secs_source": "to source",
    "encoder_target": "independent",
    "cer": "CER",
    "wer": "WER",
    "ovr": "DNSMOS OVR",
    "f0_pcc": "F0-PCC",
    "register": "semitones off",
    "pace": "RTF",
}


def print_scores(rows: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print what was measured of each row; what was measured of none has no column."""
    shown = {key: title for key, title in _SHOWN.items() if any(row.get(key) is not None for row in rows.values())}
    table = Table(box=None, pad_edge=False)
    table.add_column("row")
    for title in shown.values():
        table.add_column(title, justify="right")
    for name, row in rows.items():
        values = (row.get(key) for key in shown)
        table.add_row(name, *("" if value is None else f"{value:.2f}" for value in values))
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(table)
