"""``vox evaluate``: how good pipelines are, on real recordings, beside their controls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from voxrelay.evaluation.request import Request

Judges = Annotated[
    Path | None,
    typer.Option(
        envvar="VOXRELAY_JUDGES",
        help="Folder of the judges' weights (dnsmos_sig_bak_ovr.onnx, speaker_bilstm128.pt), by default the model "
        "folder. A judge that is not there is left out.",
    ),
]


@explained
def evaluate(
    data: Annotated[Path, typer.Argument(help="metadata.csv, or a folder with a sub-folder of recordings a speaker.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report; an interrupted one goes on.")],
    split: Annotated[str, typer.Option(help="Split of the metadata.csv; by default all.")] = "",
    pairs: Annotated[int, typer.Option(help="How many pairs of a source utterance and a target.", min=1)] = 60,
    seed: Annotated[int, typer.Option(help="Of the drawing of pairs.")] = 0,
    reference: Annotated[float, typer.Option(help="Seconds of a reference, at least; cut at twice that.", min=1)] = 5,
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="CONTENT+MEL+VOCODER to evaluate, by default that of queues.yml. Repeatable."),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(help="metadata.csv or folder that the models were trained on: adds the nearest training voice."),
    ] = None,
    judges: Judges = None,
    json_output: Json = False,
) -> None:
    """Convert pairs of recordings and judge the results, beside rows that bound them.

    Pairs are male to female, female to male and same sex in turn, of two corpora where there are several.
    Rows: the target's other recordings, the source unconverted, the source resampled and back, copy
    synthesis, each pipeline, and each driven by a wrong voice. Measures: similarity to target and source
    (Resemblyzer and an independent encoder), words, DNSMOS, melody and register, speed, with bootstrap
    intervals. Writes CSV, figures, report.md and listen.html.
    """
    from voxrelay.cli.progress import StepBars
    from voxrelay.evaluation.pipeline import Pipeline
    from voxrelay.evaluation.request import Request
    from voxrelay.evaluation.run import Evaluation
    from voxrelay.producer.producer import Producer
    from voxrelay.relay import home

    producer = Producer(note=note)
    chosen = [Pipeline.parse(text, producer.config) for text in pipeline or ()] or [Pipeline.default(producer.config)]
    request = Request(
        data=data,
        split=split,
        pairs=pairs,
        seed=seed,
        seconds=reference,
        pipelines=tuple(dict.fromkeys(chosen)),
        training=training,
        judges=(judges or home.models()).absolute(),
        output=output.absolute(),
    )
    with StepBars(quiet=json_output) as bars:
        summary = Evaluation(producer, request, bars.update).run()
    if json_output:
        emit({"output": str(output), **summary})
    else:
        _show(request, summary)


def _show(request: "Request", summary: dict[str, Any]) -> None:
    from voxrelay.cli.scores import print_scores

    rows = summary["rows"].items()
    print_scores({name: {key: one["value"] for key, one in values.items()} for name, values in rows})
    for line in summary["notes"]:
        note(f"note: {line}")
    typer.echo(f"{request.output}: report.md, scores.csv, summary.csv, listen.html")
