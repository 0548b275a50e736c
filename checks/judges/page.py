"""A page to listen to an evaluation: one line a pair, one column a row, players with their scores."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from voxrelay.checks.judges.measures import BY_KEY, Values
from voxrelay.checks.judges.statistics import Scored
from voxrelay.relay.comparison import Comparison, Trial

SHOWN = ("secs_target", "secs_source", "encoder_target", "cer", "ovr", "f0_pcc", "register")
PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape())


def write(path: Path, comparison: Comparison, scored: Scored, figures: Sequence[str]) -> None:
    """Write the page; it names sounds and figures beside it."""
    pairs: dict[str, dict[str, tuple[Trial, Values]]] = {}
    for trial, values in scored:
        pairs.setdefault(trial.pair, {})[trial.row] = trial, values
    page = PAGES.get_template("listen.html")
    titles = {key: BY_KEY[key].title for key in SHOWN}
    path.write_text(page.render(comparison=comparison, pairs=pairs, figures=figures, titles=titles))
