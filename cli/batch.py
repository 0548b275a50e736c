"""``vox batch``: many conversions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxrelay.cli.convert import (
    ContentModel,
    Gaps,
    MelModel,
    Profile,
    Similarity,
    Speaker,
    Transpose,
    Vocoder,
    chosen,
)
from voxrelay.cli.output import Json, emit, explained, note
from voxrelay.relay.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxrelay.producer.batch import Outcome
    from voxrelay.producer.standing import Standing

_SHOWN = 20  # failures that are printed; the report has all


@explained
def batch(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of recordings, or CSV file with the columns source and, as wanted, voice, output, transpose, "
            "similarity, allow_gaps, speaker, content, mel, vocoder. Its paths are relative to it.",
            metavar="FOLDER|CSV",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.", file_okay=False)],
    voice: Annotated[
        list[str] | None,
        typer.Option("--voice", help="Target voice of what names none; repeated, each in turn. A blend: anna+ben."),
    ] = None,
    profile: Profile = "",
    speaker: Speaker = "",
    content: ContentModel = "",
    mel: MelModel = "",
    vocoder: Vocoder = "",
    transpose: Transpose = "auto",
    similarity: Similarity = 1.0,
    allow_gaps: Gaps = False,
    json_output: Json = False,
) -> None:
    """Convert many recordings, each to its voice or all to every voice.

    Interrupted and started again with the same arguments, it goes on where it was, and converts again
    only what has changed or failed. The folder's report.csv says what became of each; the exit code is
    1 if any failed.
    """
    from voxrelay.cli.progress import BatchBars
    from voxrelay.producer.producer import Producer
    from voxrelay.producer.rows import semitones

    moved = semitones(transpose, "--transpose")
    with BatchBars(quiet=json_output) as bars:
        outcomes = Producer(profile=profile, note=note).batch(
            source,
            output,
            voice or [],
            models=chosen(speaker, content, mel, vocoder),
            allow_gaps=allow_gaps,
            transpose=moved,
            similarity=similarity,
            on_standing=bars.update,
        )
    _report(outcomes, bars.standing, output, json_output=json_output)
    raise typer.Exit(Exit.FAILED if any(one.state == "failed" for one in outcomes) else Exit.OK)


def _report(outcomes: "Sequence[Outcome]", standing: "Standing", folder: Path, *, json_output: bool) -> None:
    from voxrelay.producer.report import REPORT

    failed = [one for one in outcomes if one.state == "failed"]
    if json_output:
        figures = {"seconds": standing.seconds, "elapsed": standing.elapsed, "real_time_factor": standing.factor}
        emit(
            {
                "rows": standing.rows,
                "done": standing.done,
                "before": standing.before,
                **{name: value and round(value, 3) for name, value in figures.items()},
                "failed": [{"source": one.row.source, "output": one.row.output, "error": one.error} for one in failed],
                "report": folder / REPORT,
            }
        )
        return
    for one in failed[:_SHOWN]:
        where = "" if str(one.row.source) in one.error else f"{one.row.source}: "
        typer.secho(f"failed: {where}{one.error}", fg="red", err=True)
    if len(failed) > _SHOWN:
        note(f"and {len(failed) - _SHOWN} more, see the report")
    pace = f", {standing.factor:.2f} s a second of speech" if standing.factor else ""
    earlier = f", {standing.before} were there" if standing.before else ""
    typer.echo(f"{standing.done} converted{earlier}, {len(failed)} failed{pace}; report: {folder / REPORT}")
