"""``vox stage``: run one stage alone, from a file to a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxrelay.cli.convert import Cold, Voices
from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from voxrelay.producer.producer import Producer
    from voxrelay.relay.tensors import Tensor

app = typer.Typer(
    help="Run one stage alone: recordings and tensors are files, so every transition can be looked at and replayed.",
    epilog="Example: vox stage content hello.wav -o content.safetensors",
    no_args_is_help=True,
)
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
Model = Annotated[str, typer.Option(help="Model of the stage, if not the one of queues.yml.")]
Recording = Annotated[Path, typer.Argument(help="Recording, in any format of libsndfile.")]


@app.command(epilog="Example: vox stage speaker anna.wav -o anna.safetensors")
@explained
def speaker(
    voice: Annotated[list[str], typer.Argument(help="Recordings of a voice: files, folders or quoted globs.")],
    output: Output,
    model: Model = "",
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Embed a voice."""
    _write(output, _producer(cold).embed(voice, model=model), json_output=json_output)


@app.command(epilog="Example: vox stage content hello.wav -o content.safetensors")
@explained
def content(
    source: Recording, output: Output, model: Model = "", cold: Cold = False, json_output: Json = False
) -> None:
    """Encode what is said: 50 frames a second, so that 6 s give twice what 3 s give."""
    _write(output, _producer(cold).encode(source, model=model), json_output=json_output)


@app.command(epilog="Example: vox stage mel content.safetensors --voice anna.wav --model retrieval -o mel.safetensors")
@explained
def mel(
    source: Annotated[Path, typer.Argument(help="Content, as `vox stage content` or --keep-tensors wrote it.")],
    voice: Voices,
    output: Output,
    model: Model = "",
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Say content in a voice, by a model that needs nothing else: those that follow the melody need `vox convert`."""
    from voxrelay.producer.producer import load_tensor
    from voxrelay.relay.tensors import Content

    made = _producer(cold).synthesise(load_tensor(source, Content), voice, model=model)
    _write(output, made, json_output=json_output)


@app.command(epilog="Example: vox stage vocoder mel.safetensors -o hello.wav")
@explained
def vocoder(
    source: Annotated[Path, typer.Argument(help="Mel spectrogram, as `vox stage mel` or --keep-tensors wrote it.")],
    output: Output,
    model: Model = "",
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Make a mel spectrogram audible; -o takes a sound file or .safetensors."""
    from voxrelay.producer.producer import load_tensor
    from voxrelay.relay.tensors import Mel

    _write(output, _producer(cold).vocode(load_tensor(source, Mel), model=model), json_output=json_output)


def _producer(cold: bool) -> "Producer":  # noqa: FBT001 - straight from the option
    from voxrelay.producer.producer import Producer

    return Producer(cold=cold, note=note)


def _write(path: Path, tensor: "Tensor", *, json_output: bool) -> None:
    """Write a tensor, sound as a sound file unless the suffix says otherwise, and say what it is."""
    from dataclasses import fields

    from voxrelay.producer.output import write_tensor

    write_tensor(path, tensor)
    facts = {field.name: getattr(tensor, field.name) for field in fields(tensor) if field.name != "data"}
    said = {"type": type(tensor).__name__, "shape": list(tensor.data.shape), "dtype": str(tensor.data.dtype), **facts}
    if json_output:
        emit({"output": path, **said})
    else:
        typer.echo(f"{path}: " + ", ".join(f"{name} {value}" for name, value in said.items()))
