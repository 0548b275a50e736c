"""What more workers and longer backlogs do, with models that compute nothing: only the queue is at work.

Two vocoders beside one, each a device of its own that takes a while over a window; and a thousand windows that wait in
ten jobs, or in fifty. Jobs are accepted, stopped, and all let go at once, so that what is measured is their work alone;
windows of a backlog are short.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench import (
    Report,
    Row,
    Size,
    cpu_seconds,
    main,
    open_session,
    ratio,
    relay,
    relay_processes,
    simulated,
    speech,
    vox,
)

from voxrelay import Producer
from voxrelay.producer.conversion import Conversion
from voxrelay.producer.plan import Plan, plan_conversion
from voxrelay.producer.session import Session
from voxrelay.producer.submit import submit
from voxrelay.relay.job import new_id

DEVICE, WINDOWS = 0.25, 32
BACKLOG, JOBS = 1000, (10, 50)
WITHIN = 0.1  # of each other
SHORT = {"window": {"seconds": 1.28, "context": 0.32}}  # of the backlogs: less FLAC, and so more of the queue


def waiting(producer: Producer, session: Session, source: Path, voice: Path, jobs: int) -> list[Conversion]:
    """Have jobs accepted and hold them."""
    plan = plan_conversion(producer.config, source, str(voice), {})
    sounds = list(plan.sounds())
    held = []
    for _ in range(jobs):
        mine = Plan(plan.manifest.model_copy(update={"id": new_id()}), plan.target, plan.recording)
        submit(session, mine.manifest, sounds=sounds, clips=mine.clips)
        held.append(Conversion(session, mine.manifest.id))
        held[-1].pause()
    return held


def work_off(conversions: Sequence[Conversion]) -> float:
    """Let all jobs go, and wait until they are done; return the windows a second, then remove them."""
    done = [sum(work.stage == "vocoder" for work in c.session.ledger.works(c.job)) for c in conversions]
    left = sum(len(c.manifest.windows) for c in conversions) - sum(done)
    began = time.perf_counter()
    for conversion in conversions:
        conversion.resume()
    for conversion in conversions:
        if (state := conversion.wait()) != "done":
            raise RuntimeError(f"{conversion.job} is {state}")
    seconds = time.perf_counter() - began
    for conversion in conversions:
        conversion.cancel()
    return left / seconds


def recording(producer: Producer, folder: Path, windows: int) -> Path:
    """Write a recording of so many windows."""
    size = producer.config.window
    return speech(folder / f"{windows}.wav", 2 * size.context + (size.seconds - 2 * size.context) * windows)


def workers(folder: Path, size: Size) -> list[Row]:
    """One vocoder and two, in turn."""
    voice, count = speech(folder / "voice.wav", 6), size.of(WINDOWS, 4)
    rates: dict[int, list[float]] = {1: [], 2: []}
    spent = []
    with relay(simulated(vocoder=DEVICE)) as producer:
        session = open_session(producer)
        source = recording(producer, folder, count)
        work_off(waiting(producer, session, recording(producer, folder, 2), voice, 1))
        for _ in range(size.rounds):
            for number, series in rates.items():
                vox("scale", f"vocoder={number}")
                held = waiting(producer, session, source, voice, 1)
                processes = list(relay_processes(producer).values())
                before = cpu_seconds(processes)
                series.append(work_off(held))
                spent.append((cpu_seconds(processes) - before) / count)
        session.close()
    row = ratio(f"windows a second by two vocoders whose devices take {DEVICE} s a window", "by one",
                over=rates[2], under=rates[1], least=1.9)  # fmt: skip
    rest = f"processors {1000 * median(spent):.0f} ms a window"
    told = f"{row.measured}; {median(rates[2]):.2f} and {median(rates[1]):.2f}; {rest}"
    return [Row(row.what, row.against, row.bound, told, row.held, {**row.figures, "processor seconds": spent})]


def backlogs(folder: Path, size: Size) -> list[Row]:
    """The same windows in few jobs and in many, in turn."""
    voice, count = speech(folder / "voice.wav", 6), size.of(BACKLOG, 100)
    rates: dict[int, list[float]] = {jobs: [] for jobs in JOBS}
    with relay({**simulated(), **SHORT}) as producer:
        session = open_session(producer)
        work_off(waiting(producer, session, recording(producer, folder, 10), voice, 1))
        for turn in range(size.rounds):
            for jobs, series in sorted(rates.items(), reverse=bool(turn % 2)):
                held = waiting(producer, session, recording(producer, folder, count // jobs), voice, jobs)
                series.append(work_off(held))
        session.close()
    few, many = JOBS
    row = ratio(f"windows a second, {count} waiting in {many} jobs", f"in {few} jobs",
                over=rates[many], under=rates[few], least=1 - WITHIN)  # fmt: skip
    held = abs(median(row.figures["ratios"]) - 1) <= WITHIN
    told = f"{row.measured}; {median(rates[many]):.1f} and {median(rates[few]):.1f}"
    return [Row(row.what, row.against, "0.9x to 1.1x", told, held, row.figures)]


def measure(size: Size) -> Report:
    """Measure both."""
    with tempfile.TemporaryDirectory() as name:
        rows = [*workers(Path(name), size), *backlogs(Path(name), size)]
    bias = (
        "for us by models that take no processor: on a machine whose cores compute as well, workers and Redis share "
        "them. Processor time counts workers and Redis, the client's is not in it."
    )
    return Report(rows, bias)


if __name__ == "__main__":
    main(measure, __doc__ or "")
