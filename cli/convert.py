"""``vox convert``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from voxrelay.producer.producer import Conversion

Voices = Annotated[
    list[str],
    typer.Option("--voice", help="Target voice: a file, a folder or a quoted glob. Repeat it to blend voices."),
]
Cold = Annotated[bool, typer.Option("--cold", help="Start pools for this alone and leave nothing running.")]


@explained
def convert(
    source: Annotated[Path, typer.Argument(help="Recording to convert, in any format of libsndfile.")],
    voice: Voices,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; the suffix is the format.")],
    speaker: Annotated[str, typer.Option(help="Speaker model, if not the one of queues.yml.")] = "",
    content: Annotated[str, typer.Option(help="Content model.")] = "",
    mel: Annotated[str, typer.Option(help="Mel model.")] = "",
    vocoder: Annotated[str, typer.Option(help="Vocoder model.")] = "",
    keep_tensors: Annotated[
        Path | None, typer.Option(help="New folder for everything that passes between the stages.")
    ] = None,
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Convert a recording to another voice.

    The speech passes through four pools: speaker, content, mel, vocoder. Without REDIS_URL they
    run on this machine, are started when needed and stay warm for ten idle minutes.
    """
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.producer import Producer

    models: Any = {"speaker": speaker, "content": content, "mel": mel, "vocoder": vocoder}
    with StageBars(quiet=json_output) as bars:
        done = Producer(cold=cold, note=note).convert(
            source,
            voice,
            output,
            models={stage: name for stage, name in models.items() if name},
            keep_tensors=keep_tensors,
            on_progress=bars.update,
        )
    report(done, json_output=json_output)


def report(done: "Conversion", *, json_output: bool) -> None:
    """Say what came of a conversion."""
    if json_output:
        emit(
            {
                "job": done.job,
                "output": done.output,
                "seconds": round(done.seconds, 3),
                "models": done.models,
                "notes": done.notes,
                "stages": [work.report() for work in done.works],
            }
        )
        return
    from voxrelay.cli.progress import print_works

    print_works(done.works)
    for line in done.notes:
        note(f"note: {line}")
    typer.echo(f"{done.output}: {done.seconds:.2f} s, job {done.job}")
