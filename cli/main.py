"""``vox``: the commands and their groups."""

import typer

from voxrelay.cli import (
    batch,
    check,
    check_voices,
    convert,
    dead,
    doctor,
    environment,
    evaluate,
    info,
    job,
    model,
    monitor,
    pools,
    stage,
    trace,
    train,
    voice,
    worker,
)

app = typer.Typer(
    name="vox",
    help="Convert a recording of one speaker into the same sentence in another speaker's voice.",
    epilog="Example: vox convert hello.wav --voice anna.wav -o hello-anna.wav",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("convert", epilog="Example: vox convert hello.wav --voice anna.wav -o hello-anna.wav")(convert.convert)
app.command("submit", epilog="Example: vox submit hello.wav --voice anna.wav")(convert.submit)
app.command("batch", epilog="Example: vox batch recordings/ --voice anna.wav -o converted")(batch.batch)
app.add_typer(job.app, name="job")
app.add_typer(dead.app, name="dead")
app.add_typer(voice.app, name="voice")
app.add_typer(stage.app, name="stage")
app.command("up", epilog="Example: vox up vocoder")(pools.up)
app.command("down", epilog="Example: vox down")(pools.down)
app.command("scale", epilog="Example: vox scale vocoder=2 content=2")(pools.scale)
app.command("restart", epilog="Example: vox restart mel vocoder")(pools.restart)
app.command("ps", epilog="Example: vox ps --json")(pools.ps)
app.command("top", epilog="Example: vox top")(monitor.top)
app.command("metrics", epilog="Example: vox metrics --port 9100")(monitor.metrics)
app.command("flower", epilog="Example: FLOWER_BASIC_AUTH=ann:secret vox flower --address 0.0.0.0")(monitor.flower)
app.command("trace", epilog="Example: vox trace 20250101-120000-0a1b2c3d -o trace.png")(trace.trace)
app.add_typer(check.app, name="check")
check.app.command(
    "voices",
    epilog="Example: vox check voices hello.wav --voice anna.wav --vocoder griffin-lim,hifigan -o voices.html",
)(check_voices.voices)
app.command("evaluate", epilog="Example: vox evaluate recordings/ --pairs 20 -o report")(evaluate.evaluate)
app.command("info", epilog="Example: vox info hello-anna.wav")(info.info)
app.add_typer(worker.app, name="worker")
app.add_typer(environment.app, name="env")
app.add_typer(train.app, name="train")
app.add_typer(model.app, name="model")
app.command("config", epilog="Example: VOXRELAY_CONFIG=mine.yml vox config")(doctor.config)
app.command("doctor", epilog="Example: vox doctor")(doctor.doctor)
