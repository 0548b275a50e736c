"""``vox voice``: voices saved under a name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxrelay.cli.convert import Cold
from voxrelay.cli.output import Json, emit, explained, note

if TYPE_CHECKING:
    from voxrelay.producer.saved import SavedVoice

app = typer.Typer(
    help="Save voices under a name: `--voice anna`, or blended, `--voice anna:0.6 --voice ben:0.4`.",
    epilog="Example: vox voice add anna recordings/anna/",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="Name of a saved voice.", metavar="NAME")]


@app.command(epilog="Example: vox voice add anna recordings/anna/")
@explained
def add(
    name: Annotated[str, typer.Argument(help="Name: lower-case letters, digits, - and _.", metavar="NAME")],
    files: Annotated[list[str], typer.Argument(help="Recordings of one speaker: files, folders or quoted globs.")],
    cold: Cold = False,
    json_output: Json = False,
) -> None:
    """Save a voice: its sound, and what the pools prepare of it; the recordings are not needed any more.

    About a minute of clean speech is plenty. It is said if there is little, if it is noisy or clipped, or
    if it sounds like two speakers.
    """
    from voxrelay.cli.progress import StageBars
    from voxrelay.producer.enrol import CONSENT, enrol
    from voxrelay.producer.producer import Producer

    with StageBars(quiet=json_output) as bars:
        voice = enrol(Producer(cold=cold, note=note), name, files, bars.update)
    note(f"note: {CONSENT}")
    _show(voice, json_output=json_output)


@app.command("list", epilog="Example: vox voice list")
@explained
def list_(json_output: Json = False) -> None:
    """List the saved voices."""
    from voxrelay.producer import saved

    rows = [_facts(saved.read(saved.path(name))) for name in saved.names()]
    if json_output:
        emit({"voices": rows})
        return
    if not rows:
        typer.echo("no voices are saved: vox voice add NAME FILES")
    for row in rows:
        typer.echo(f"{row['name']:<20}{row['seconds']:>7.1f} s {row['pitch']['hertz']:>6.0f} Hz  since {row['added']}")


@app.command(epilog="Example: vox voice show anna")
@explained
def show(name: Name, json_output: Json = False) -> None:
    """Show what is known of a voice: seconds, pitch, what it was prepared with, what may be wrong with it."""
    from voxrelay.producer import saved

    _show(saved.read(saved.path(name)), json_output=json_output)


@app.command(epilog="Example: vox voice remove anna")
@explained
def remove(names: Annotated[list[str], typer.Argument(help="Names.", metavar="NAME...")]) -> None:
    """Remove voices for good; what Redis holds of them goes with its lifetime."""
    from voxrelay.producer import saved

    for path in [saved.path(name) for name in names]:
        path.unlink()


@app.command(epilog="Example: vox voice export anna anna.safetensors")
@explained
def export(name: Name, file: Annotated[Path, typer.Argument(help="File to write, .safetensors.")]) -> None:
    """Write a voice to one file, from which it converts on any machine: `--voice ./FILE`, or `vox voice import`."""
    from voxrelay.producer import saved

    saved.export(name, file)


@app.command("import", epilog="Example: vox voice import anna.safetensors")
@explained
def import_(
    file: Annotated[Path, typer.Argument(help="File that `vox voice export` wrote.")],
    name: Annotated[str, typer.Argument(help="Name to save it under, if not its own.", metavar="[NAME]")] = "",
    json_output: Json = False,
) -> None:
    """Save a voice that was exported."""
    from voxrelay.producer import saved
    from voxrelay.producer.enrol import CONSENT

    voice = saved.read(file).renamed(name) if name else saved.read(file)
    saved.save(voice)
    note(f"note: {CONSENT}")
    _show(voice, json_output=json_output)


def _facts(voice: "SavedVoice") -> dict[str, Any]:
    facts = voice.facts
    pitch = facts.pitch
    measured = {**pitch.model_dump(), "hertz": pitch.hertz, "semitones": pitch.semitones}
    return {
        "name": facts.name,
        "added": facts.added,
        "seconds": round(facts.seconds, 2),
        "speech": round(facts.speech, 2),
        "pitch": {name: round(value, 4) for name, value in measured.items()},
        "models": {"speaker": facts.speaker.model, "content": facts.content.model},
        "shapes": {name: list(array.shape) for name, array in voice.arrays.items()},
        "notes": facts.notes,
    }


def _show(voice: "SavedVoice", *, json_output: bool) -> None:
    row = _facts(voice)
    if json_output:
        emit(row)
        return
    pitch = row["pitch"]
    lines = {
        "sound": f"{row['seconds']:.1f} s, {row['speech']:.1f} s of speech, since {row['added']}",
        "pitch": f"{pitch['hertz']:.0f} Hz, spread {pitch['semitones']:.1f} semitones, {pitch['voiced']:.0%} voiced",
        "prepared": ", ".join(f"{stage} by {model}" for stage, model in row["models"].items()),
        **{name: " x ".join(map(str, shape)) for name, shape in row["shapes"].items() if name != "speech"},
    }
    typer.echo(row["name"])
    for label, text in lines.items():
        typer.echo(f"  {label:<11}{text}")
    for line in row["notes"]:
        note(f"note: {line}")
