"""``vox convert`` and ``vox submit``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from voxrelay.producer.producer import Conversion, Result

Source = Annotated[Path, typer.Argument(help="Recording to convert, in any format of libsndfile.")]
Voices = Annotated[
    list[str],
    typer.Option(
        "--voice",
        help="Target voice: a saved one, a file, a folder or a quoted glob. Repeat it to blend: anna:0.6, ben:0.4.",
    ),
]
Cold = Annotated[bool, typer.Option("--cold", help="Start pools for this alone and leave nothing running.")]
Gaps = Annotated[
    bool, typer.Option("--allow-gaps", help="Leave silence where a window has to be given up, rather than fail.")
]
Transpose = Annotated[
    str,
    typer.Option(metavar="SEMITONES|auto", help="Move the melody by so much, or into the target's register."),
]
Similarity = Annotated[
    float, typer.Option(metavar="0..1", help="How far to go from the source's voice to the target's.", min=0, max=1)
]
Profile = Annotated[str, typer.Option(help="Models to chain, by the name of a profile in queues.yml.")]
Speaker = Annotated[str, typer.Option(help="Speaker model, if not the one of queues.yml.")]
ContentModel = Annotated[str, typer.Option("--content", help="Content model.")]
MelModel = Annotated[str, typer.Option("--mel", help="Mel model.")]
Vocoder = Annotated[str, typer.Option(help="Vocoder model.")]


@explained
def convert(
    source: Source,
    voice: Voices,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write; the suffix is the format. - streams WAV."),
    ],
    profile: Profile = "",
    speaker: Speaker = "",
    content: ContentModel = "",
    mel: MelModel = "",
    vocoder: Vocoder = "",
    transpose: Transpose = "auto",
    similarity: Similarity = 1.0,
    allow_gaps: Gaps = False,
    keep_tensors: Annotated[
        Path | None, typer.Option(help="New folder for everything that passes between the stages.")
    ] = None,
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Convert a recording to another voice.

    The speech passes through four pools: speaker, content, mel, vocoder. Without REDIS_URL they
    run on this machine, are started when needed and stay warm for ten idle minutes. Interrupted
    and started again with the same arguments, it goes on where it was.
    """
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.producer import Producer
    from voxrelay.producer.rows import semitones

    producer = Producer(profile=profile, cold=cold, note=note)
    wishes = {
        "models": chosen(speaker, content, mel, vocoder),
        "allow_gaps": allow_gaps,
        "transpose": semitones(transpose, "--transpose"),
        "similarity": similarity,
    }
    if str(output) == "-":
        _stream(producer.submit(source, voice, **wishes))
        return
    with StageBars(quiet=json_output) as bars:
        done = producer.convert(
            source,
            voice,
            output,
            keep_tensors=keep_tensors,
            on_progress=bars.update,
            **wishes,
        )
    report(done, json_output=json_output)


@explained
def submit(
    source: Source,
    voice: Voices,
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
    """Enqueue a conversion and return at once with its job id.

    The job goes on without this command or this terminal; `vox job fetch` writes its result.
    """
    from voxrelay.producer.producer import Producer
    from voxrelay.producer.rows import semitones

    models, moved = chosen(speaker, content, mel, vocoder), semitones(transpose, "--transpose")
    with Producer(profile=profile, note=note).submit(
        source, voice, models=models, allow_gaps=allow_gaps, transpose=moved, similarity=similarity
    ) as conversion:
        for line in conversion.notes:
            note(f"note: {line}")
        if not conversion.durable:
            note("note: this Redis keeps jobs in memory only, they are lost if it ends (appendonly yes keeps them)")
        if json_output:
            emit({"job": conversion.job, "durable": conversion.durable, "notes": conversion.notes})
        else:
            typer.echo(conversion.job)


def report(done: "Result", *, json_output: bool) -> None:
    """Say what came of a conversion."""
    if json_output:
        emit(
            {
                "job": done.job,
                "output": done.output,
                "seconds": round(done.seconds, 3),
                "models": done.models,
                "notes": done.notes,
                "gaps": done.gaps,
                "stages": [work.report() for work in done.works],
            }
        )
        return
    from voxrelay.cli.progress import print_works

    print_works(done.works)
    for line in done.notes:
        note(f"note: {line}")
    for begin, end in done.gaps:
        note(f"note: silent from {begin:.2f} s to {end:.2f} s: that window was given up (vox dead show {done.job})")
    typer.echo(f"{done.output}: {done.seconds:.2f} s, job {done.job}")


def _stream(submitted: "Conversion") -> None:
    """Write WAV to standard output, each window as soon as it is ready."""
    from voxrelay.producer.output import WavPipe
    from voxrelay.relay import clock

    with submitted as conversion:
        total = clock.sound_samples(conversion.manifest.windows[-1].keep_to)
        sounds, pipe = conversion.stream(), WavPipe(sys.stdout.buffer, total)
        try:
            for sound in sounds:
                pipe.write(sound)
        except BrokenPipeError:
            sys.stdout = None  # whoever listened has gone; Python must not flush to them at its end
        finally:
            sounds.close()  # an unfinished stream cancels its job
        for line in conversion.notes:
            note(f"note: {line}")


def chosen(speaker: str, content: str, mel: str, vocoder: str) -> Any:  # noqa: ANN401 - by stage
    """Return the models that were named, by stage."""
    named = {"speaker": speaker, "content": content, "mel": mel, "vocoder": vocoder}
    return {stage: name for stage, name in named.items() if name}
