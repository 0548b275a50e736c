"""``vox trace``: the timeline of a job over the pools."""

from pathlib import Path
from typing import Annotated

import typer

from voxrelay.cli.job import JobId, open_session
from voxrelay.cli.output import Json, emit, explained, note


@explained
def trace(
    job: JobId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="PNG to draw the timeline to.")] = None,
    json_output: Json = False,
) -> None:
    """Show when each worker waited for, moved and worked on each window, and which stage is the slowest."""
    from voxrelay.cli.lanes import print_timeline
    from voxrelay.fleet import checks
    from voxrelay.relay.errors import BadInputError
    from voxrelay.relay.timeline import Timeline

    if output and (output.suffix.lower() != ".png" or not output.absolute().parent.is_dir()):
        raise BadInputError("not the name of a .png in a folder that exists", where=str(output))
    ledger = open_session().ledger
    ledger.manifest(job)
    timeline = Timeline.of(job, ledger.works(job))
    if json_output:
        totals = [total.model_dump() for total in timeline.totals()]
        emit({**timeline.model_dump(), "totals": totals, "verdict": timeline.verdict()})
    else:
        print_timeline(timeline)
    if output:
        checks.run(ledger.config, "trace", str(output.absolute()), given=timeline.model_dump_json(), note=note)
        note(f"drawn: {output}")
