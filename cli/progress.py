"""Progress bars, one a stage, and the table of what each stage did."""

import threading
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

from voxrelay.producer.collect import Progress as Step
from voxrelay.producer.standing import Standing
from voxrelay.relay.config import STAGES
from voxrelay.relay.work import Work

# Rich is imported when there is something to show: of a short conversion the table at its end.
if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

WIDE = 120
_PATIENCE = 2.0  # seconds in which nothing is shown
_PARTS = {"reference": "voice", "window": "speech"}


class _Bars:
    """Bars on the error stream, each of which appears when there is something to show and it takes its time."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._patient = quiet, True
        self._unshown: dict[str, tuple[int, int, str]] = {}
        self._tasks: dict[str, TaskID] = {}
        self._turn = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        if not self._quiet:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._turn:
            if self._tasks:
                self._progress.stop()

    @cached_property
    def _progress(self) -> "Progress":
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(),
            self._count(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[about]}", style="dim"),
        )
        return Progress(*columns, console=_console())

    def _count(self) -> "ProgressColumn":
        from rich.progress import MofNCompleteColumn

        return MofNCompleteColumn()

    def _show(self, label: str, done: int, total: int, about: str = "") -> None:
        with self._turn:
            self._unshown[label] = (done, total, about)
            if not self._patient:
                self._draw()

    def _appear(self) -> None:
        with self._turn:
            if not self._timer.finished.is_set():  # cancelled while it waited for its turn
                self._patient = False
                self._draw()

    def _draw(self) -> None:
        for name, (completed, whole, words) in self._unshown.items():
            if name not in self._tasks:
                self._progress.start()
                self._tasks[name] = self._progress.add_task(name, total=whole, about=words)
            self._progress.update(self._tasks[name], completed=completed, total=whole, about=words)
        self._unshown.clear()


class StageBars(_Bars):
    """One bar for each stage that has something to do, on the error stream; the table follows."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._ahead = threading.Thread(target=_import_table, daemon=True)

    def update(self, step: Step) -> None:
        """Show that a stage ended on one window or reference."""
        if not self._quiet and self._ahead.ident is None:
            self._ahead.start()  # while others compute: at the end somebody would wait for it
        self._show(f"{_PARTS[step.part]}: {step.stage}", step.done, step.total)


class StepBars(_Bars):
    """One bar for each step of a long command, on the error stream."""

    def update(self, label: str, done: int, total: int) -> None:
        """Show that so much of a step is done."""
        self._show(label, done, total)


class ByteBars(StepBars):
    """One bar for each file that is fetched, on the error stream."""

    def _count(self) -> "ProgressColumn":
        from rich.progress import DownloadColumn

        return DownloadColumn()


class BatchBars(_Bars):
    """One bar for the recordings of a batch and one for each stage, on the error stream."""

    standing: Standing

    def update(self, standing: Standing) -> None:
        """Show how far it is, how fast, and how long it will take."""
        self.standing = standing
        over = standing.done + standing.failed + standing.before
        self._show("recordings", over, standing.rows, _about(standing))
        for stage in STAGES:
            self._show(f"{_PARTS['window']}: {stage}", standing.stages[stage], standing.windows)


def _about(standing: Standing) -> str:
    words = []
    if standing.left is not None:
        words.append(f"{timedelta(seconds=round(standing.left))} left")
    if standing.factor is not None:
        words.append(f"{standing.factor:.2f} s a second of speech")
    if standing.failed:
        words.append(f"{standing.failed} failed")
    return ", ".join(words)


def print_works(works: Iterable[Work]) -> None:
    """Print what each stage did, summed over windows."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "stage", "model", "environment", "process"):
        table.add_column(column, style="dim" if not column else None)
    for column in ("units", "waited s", "moved s", "worked s", "kB in", "kB out"):
        table.add_column(column, justify="right")
    rows = list(works)
    for part, label in _PARTS.items():
        for stage in STAGES:
            mine = [work for work in rows if (work.part, work.stage) == (part, stage)]
            if mine:
                table.add_row(label, *_summary(mine))
    _console().print(table)


def _import_table() -> None:
    import rich.console
    import rich.table  # noqa: F401 - both are for print_works


def _console() -> "Console":
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = WIDE
    return console


def _summary(works: list[Work]) -> list[str]:
    first = works[0]
    processes = ",".join(sorted({str(work.process) for work in works}))
    seconds = [sum(work.report()[name] for work in works) for name in ("waited", "moved", "worked")]
    kilobytes = [sum(sizes) / 1000 for sizes in ((w.bytes_in for w in works), (w.bytes_out for w in works))]
    return [
        first.stage,
        first.model,
        first.environment,
        processes,
        str(len(works)),
        *(f"{value:.2f}" for value in seconds),
        *(f"{value:.0f}" for value in kilobytes),
    ]
