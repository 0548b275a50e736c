"""A job's timeline in the terminal: one row a worker, time from left to right."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxrelay.relay.timeline import KINDS, Kind, Lane, Timeline

WIDE = 120
_LEAST = 20  # columns of the axis, however narrow the terminal
_COLOURS: dict[Kind, str] = {"waiting": "bright_black", "moving": "yellow", "working": "green"}
_SIGNS: dict[Kind, str] = {"waiting": "·", "moving": "-", "working": "█"}
_LEVELS = " ▁▂▃▄▅▆▇█"


def print_timeline(timeline: Timeline) -> None:
    """Print lanes, sums and the slowest stage."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    names = [f"{lane.stage} {lane.model} {lane.worker}" for lane in timeline.lanes]
    label = max(map(len, names)) + 1
    width = max(console.width - label, _LEAST)
    for name, lane in zip(names, timeline.lanes, strict=True):
        console.print(Text(name.ljust(label)) + _row(lane, timeline.seconds, width), no_wrap=True, overflow="crop")
    console.print(Text(" " * label) + _axis(timeline.seconds, width), no_wrap=True, overflow="crop")
    legend = [Text.assemble((_SIGNS[kind], _COLOURS[kind]), f" {kind}  ") for kind in KINDS]
    console.print(Text(" " * label) + Text("").join(legend))
    console.print(_sums(timeline))
    console.print(timeline.verdict(), soft_wrap=True, highlight=False)


def _row(lane: Lane, seconds: float, width: int) -> Text:
    """Draw one lane: the height of a bar is the share of its cell's time that was worked."""
    shares = {kind: _shares(lane.spans(kind), seconds, width) for kind in KINDS}
    row = Text()
    for cell in range(width):
        kind = next((kind for kind in reversed(KINDS) if shares[kind][cell] > 0), None)
        if kind is None:
            row.append(" ")
        elif kind == "working":
            row.append(_LEVELS[max(1, round(shares[kind][cell] * (len(_LEVELS) - 1)))], _COLOURS[kind])
        else:
            row.append(_SIGNS[kind], _COLOURS[kind])
    return row


def _shares(spans: list[tuple[float, float]], seconds: float, width: int) -> list[float]:
    """Return the share of each cell's time that lies within spans, which do not overlap."""
    shares, scale = [0.0] * width, width / max(seconds, 1e-9)
    for start, end in spans:
        first, last = start * scale, end * scale
        for cell in range(max(int(first), 0), min(int(last) + 1, width)):
            shares[cell] += max(0.0, min(last, cell + 1) - max(first, cell))
    return [min(share, 1.0) for share in shares]


def _axis(seconds: float, width: int) -> Text:
    end = f"{seconds:.2f} s"
    return Text("0 s" + end.rjust(width - len("0 s")), "dim")


def _sums(timeline: Timeline) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    for column in ("workers", "units", "waiting s", "moving s", "working s", "busy"):
        table.add_column(column, justify="right")
    for total in timeline.totals():
        seconds = (f"{value:.2f}" for value in (total.waiting, total.moving, total.working))
        table.add_row(total.stage, str(total.workers), str(total.units), *seconds, f"{total.busy:.0%}")
    return table
