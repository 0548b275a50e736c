"""``vox check``: see what the models do, in figures, pictures and recordings worth hearing."""

from pathlib import Path
from typing import Annotated, Any

import typer

from voxrelay.cli.convert import Cold
from voxrelay.cli.output import Json, emit, explained, note

app = typer.Typer(
    help="Check what the models do: figures, pictures and recordings worth hearing, in a new folder.",
    epilog="Example: vox check voices hello.wav --voice anna.wav -o voices.html",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Option("--output", "-o", help="New folder for pictures, table, page and recordings.")]


@app.command(epilog="Example: vox check speakers recordings/ -o speakers")
@explained
def speakers(
    places: Annotated[
        list[Path],
        typer.Argument(
            help="Folders in which every speaker has a folder, or tables: CSV with the columns path and speaker, "
            "and perhaps sex and split.",
            metavar="FOLDER|METADATA.csv...",
        ),
    ],
    output: Folder,
    split: Annotated[str, typer.Option(help="Take only the rows of a table that are of this split.")] = "",
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Check that utterances are told apart by speaker: map, similarities, clusters, and the hard cases to hear."""
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.collect import Progress
    from voxrelay.producer.producer import Producer
    from voxrelay.producer.study import study_speakers

    with StageBars(quiet=json_output) as bars:
        found = study_speakers(
            Producer(cold=cold, note=note),
            places,
            output,
            split=split,
            on_count=lambda done, total: bars.update(Progress("reference", "speaker", done, total)),
        )
    if json_output:
        emit({"output": output, **found})
        return
    _print(found, ["speakers", "utterances", "purity", "ari", "silhouette", "eer", "threshold"])
    for rank, case in enumerate(found["boundary"], 1):
        near = f"{case['own']:.2f} like its speaker, {case['other']:.2f} like {case['nearest']}"
        line = f"{case['speaker']} {Path(case['path']).name}: {near}"
        typer.echo(f"  boundary {rank}  {line}")
    typer.echo(f"look at {output / 'index.html'}")


@app.command(epilog="Example: vox check content recordings/*/*.flac --model mfcc -o content")
@explained
def content(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings, or folders of them. The folder of one is its speaker, its name the sentence."),
    ],
    output: Folder,
    model: Annotated[str, typer.Option(help="Content model, if not the one of queues.yml.")] = "",
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Check that content frames keep time, tell sentences apart, and hide the speaker.

    Recordings of equal names in two folders are taken for the same sentence by two speakers.
    """
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.collect import Progress
    from voxrelay.producer.producer import Producer
    from voxrelay.producer.study_content import study_content

    with StageBars(quiet=json_output) as bars:
        found = study_content(
            Producer(cold=cold, note=note),
            files,
            output,
            model=model,
            on_count=lambda done, total: bars.update(Progress("window", "content", done, total)),
        )
    if json_output:
        emit({"output": output, **found})
        return
    _print(found, [name for name in found if name != "skipped"])
    for reason in found["skipped"]:
        note(f"skipped: {reason}")
    typer.echo(f"look at {output / 'index.html'}")


def _print(found: dict[str, Any], names: list[str]) -> None:
    for name in names:
        typer.echo(f"{name:<22}{found[name]}")
