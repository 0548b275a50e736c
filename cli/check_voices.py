"""``vox check voices``: one recording in one voice by several pipelines, side by side."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from voxrelay.cli.evaluate import Judges
from voxrelay.cli.output import Json, emit, explained, note


@explained
def voices(
    source: Annotated[Path, typer.Argument(help="Recording to convert, in any format of libsndfile.")],
    voice: Annotated[str, typer.Option(help="Target voice: a file, a folder or a quoted glob.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML page to write; it holds everything.")],
    content: Annotated[str, typer.Option(help="Content models, with commas between them.")] = "",
    mel: Annotated[str, typer.Option(help="Mel models, with commas between them.")] = "",
    vocoder: Annotated[str, typer.Option(help="Vocoders, with commas between them.")] = "",
    judges: Judges = None,
    json_output: Json = False,
) -> None:
    """Convert a recording by every combination of models, and show all results on one page.

    Scores, spectrograms, F0 contours and players in one HTML file. A stage that is not named is that of
    queues.yml.
    """
    from voxrelay.cli.progress import StepBars
    from voxrelay.cli.scores import print_scores
    from voxrelay.evaluation.grid import Grid, check, combine
    from voxrelay.producer.producer import Producer
    from voxrelay.relay import home
    from voxrelay.relay.errors import BadInputError

    if output.suffix.lower() not in {".html", ".htm"} or not output.absolute().parent.is_dir():
        raise BadInputError("not the name of an .html in a folder that exists", where=str(output))
    producer = Producer(note=note)
    grid = Grid(source, voice, combine(producer.config, content, mel, vocoder))
    with tempfile.TemporaryDirectory() as folder, StepBars(quiet=json_output) as bars:
        weights = (judges or home.models()).absolute()
        scores = check(producer, grid, weights, Path(folder), output.absolute(), bars.update)
    if json_output:
        emit({"output": str(output), **scores})
    else:
        print_scores(scores["rows"])
        typer.echo(str(output))
