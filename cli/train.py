"""``vox train``: make weights of one's own, in an environment of its own."""

from pathlib import Path
from typing import Annotated

import typer

from voxrelay.cli.output import Json, emit, explained, note

app = typer.Typer(
    help="Train models on your own recordings, a folder with one folder a speaker or a metadata.csv. "
    "Ctrl-C leaves a checkpoint; --resume goes on.",
    epilog="Example: vox train vocoder --data recordings/ --out runs/vocoder",
    no_args_is_help=True,
)
Data = Annotated[Path, typer.Option(help="metadata.csv, folder of recordings, or a cache folder.")]
Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoints, curve, configuration.")]
Config = Annotated[Path | None, typer.Option(help="Hyper-parameters, if not those that come along.")]
Init = Annotated[Path | None, typer.Option(help="Weights to start from: fine-tuning.")]
Source = Annotated[str, typer.Option(help="Who published those weights, under which licence: for the model card.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
Until = Annotated[int | None, typer.Option(metavar="STEP", help="End there, before the phases do.")]
Threads = Annotated[int, typer.Option(help="Threads on a CPU.")]
Encoder = Annotated[
    Path | None,
    typer.Option(
        help="Weights of contentvec-lite, if not those that come along: an acoustic model learns to speak from "
        "its content, and is listened to by it."
    ),
]
Acoustic = Annotated[
    Path | None,
    typer.Option(
        help="Weights of a gr0 whose mels the vocoder learns to say as well, in phases that ask for it: what nobody "
        "has said, discriminators alone judge."
    ),
]
Content = Annotated[
    str | None, typer.Option(help="Another content model of queues.yml that an acoustic model is to speak from.")
]
Mix = Annotated[
    Path | None,
    typer.Option(
        help="Exported weights to mix the run's with, such as those it began with: what they knew comes back."
    ),
]
Share = Annotated[float, typer.Option(min=0, max=1, help="How much of those.")]


@app.command(epilog="Example: vox train content --data recordings/ --out runs/content")
@explained
def content(
    data: Data,
    out: Out,
    config: Config = None,
    init: Init = None,
    source: Source = "",
    resume: Resume = False,
    until: Until = None,
    threads: Threads = 1,
    json_output: Json = False,
) -> None:
    """Train a content encoder: it needs texts of a part of the recordings, in English."""
    _train("content", data, out, config, init, source, resume, until, threads, None, json_output)


@app.command(epilog="Example: vox train mel --data recordings/ --content contentvec --out runs/gr0")
@explained
def mel(
    data: Data,
    out: Out,
    content: Content = None,
    encoder: Encoder = None,
    config: Config = None,
    init: Init = None,
    source: Source = "",
    resume: Resume = False,
    until: Until = None,
    threads: Threads = 1,
    json_output: Json = False,
) -> None:
    """Train an acoustic model."""
    _train("mel", data, out, config, init, source, resume, until, threads, encoder, json_output, content)


@app.command(epilog="Example: vox train vocoder --data recordings/ --init generator.pt --out runs/vocoder")
@explained
def vocoder(
    data: Data,
    out: Out,
    acoustic: Acoustic = None,
    encoder: Encoder = None,
    config: Config = None,
    init: Init = None,
    source: Source = "",
    resume: Resume = False,
    until: Until = None,
    threads: Threads = 1,
    json_output: Json = False,
) -> None:
    """Train a vocoder."""
    _train("vocoder", data, out, config, init, source, resume, until, threads, encoder, json_output, acoustic=acoustic)


@app.command(epilog="Example: vox train export vocoder --data recordings/ --out runs/vocoder --to mine.pt")
@explained
def export(
    model: Annotated[str, typer.Argument(help="content, mel or vocoder.")],
    data: Data,
    out: Out,
    to: Annotated[Path, typer.Option(help="File to write; the model card lies beside it.")],
    content: Content = None,
    encoder: Encoder = None,
    mix: Mix = None,
    share: Share = 0.5,
    json_output: Json = False,
) -> None:
    """Write a run's weights in float16, and their model card; `mel` with the content that it was trained on."""
    from voxrelay.fleet import training

    listening = [] if encoder is None else ["--encoder", str(encoder)]
    mixing = [] if mix is None else ["--mix", str(mix), "--share", str(share)]
    training.run(
        ["export", model, "--data", str(data), "--out", str(out), "--to", str(to), *listening, *mixing],
        threads=1,
        note=note,
        content=content,
    )
    if json_output:
        emit({"weights": to, "card": to.with_suffix(".md")})
    else:
        typer.echo(f"{to}, {to.with_suffix('.md')}")


def _train(
    model: str,
    data: Path,
    out: Path,
    config: Path | None,
    init: Path | None,
    source: str,
    resume: bool,  # noqa: FBT001 - straight from the option
    until: int | None,
    threads: int,
    encoder: Path | None,
    json_output: bool,  # noqa: FBT001 - straight from the option
    content: str | None = None,
    acoustic: Path | None = None,
) -> None:
    """Run the training program, and say how far the run is."""
    from voxrelay.fleet import training

    given = {"data": data, "out": out, "config": config, "init": init, "source": source or None, "until": until,
             "encoder": encoder, "acoustic": acoustic}  # fmt: skip
    options = [part for name, value in given.items() if value is not None for part in (f"--{name}", str(value))]
    training.run(["train", model, *options, *(["--resume"] if resume else [])], threads, note, content)
    found = training.standing(out)
    if json_output:
        emit({"run": out, **found})
    else:
        typer.echo(f"{out}: step {found['step']}, held back {found.get('held_back', {})}")
