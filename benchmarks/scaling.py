"""What more workers and longer backlogs do, with models that compute nothing: only the queue is at work.

Two vocoders and eight beside one, each a device of its own that takes a while over a window; and a thousand windows
that wait in ten jobs, or in fifty. Jobs are accepted, stopped, and all let go at once, so that what is measured is
their work alone; windows of a backlog are short, and its rate is that of the first few hundred.
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
    stores,
    vox,
)

from voxrelay import Producer
from voxrelay.producer.conversion import Conversion
from voxrelay.producer.plan import Plan, plan_conversion
from voxrelay.producer.session import Session
from voxrelay.producer.submit import submit
from voxrelay.relay import keys
from voxrelay.relay.job import new_id
from voxrelay.relay.queue import unacknowledged
from voxrelay.relay.queue import waiting as queued

DEVICE, WINDOWS, CROWD = 0.25, 24, 8
BACKLOG, JOBS, COUNTED = 1000, (10, 50), 300
PARTS = ("workers", "backlog")
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
    queues = [keys.queue(link.stage, link.model) for link in plan.manifest.chain]
    broker = session.stores.tensors
    while unacknowledged(broker) or any(each.depth for each in queued(broker, queues).values()):
        time.sleep(0.05)  # what was released before it was stopped is dropped by now, and in nobody's hands
    return held


def work_off(conversions: Sequence[Conversion], most: int = 10**9) -> float:
    """Let all jobs go, and wait until so many windows are done, or all; return windows a second, then remove them.

    The clock starts when all go: each that is let go is a write to the disk, which is no matter of how many wait.
    """
    for conversion in conversions:
        conversion.resume()
    before = left(conversions)
    began = time.perf_counter()
    while (now := left(conversions)) > max(before - most, 0):
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    for conversion in conversions:
        if conversion.state not in ("running", "done"):
            raise RuntimeError(f"{conversion.job} is {conversion.state}")
        conversion.cancel()
    return (before - now) / seconds


def left(conversions: Sequence[Conversion]) -> int:
    """Count the windows that are still to be done."""
    pipe = conversions[0].session.stores.jobs.pipeline(transaction=False)
    for conversion in conversions:
        pipe.hget(keys.job(conversion.job), "windows_left")
    return sum(map(int, pipe.execute()))


def recording(producer: Producer, folder: Path, windows: int) -> Path:
    """Write a recording of so many windows."""
    size = producer.config.window
    return speech(folder / f"{windows}.wav", 2 * size.context + (size.seconds - 2 * size.context) * windows)


class Meter:
    """What one window costs a relay: processor time by process, and bytes through each redis-server."""

    def __init__(self, producer: Producer) -> None:
        self.producer, self.processes = producer, relay_processes(producer)
        self._before = self._read()

    def per_window(self, windows: int) -> dict[str, float]:
        """Return milliseconds and kilobytes since it was made."""
        return {name: (value - self._before[name]) / windows for name, value in self._read().items()}

    def _read(self) -> dict[str, float]:
        found = {f"{name} ms": 0.0 for name in ("workers", "redis jobs", "redis tensors")}
        for name, process in self.processes.items():
            found[f"{name if name.startswith('redis') else 'workers'} ms"] += 1000 * cpu_seconds([process])
        for name, server in stores(self.producer).items():
            stats = server.info("stats")
            found[f"redis {name} in kB"] = stats["total_net_input_bytes"] / 1000
            found[f"redis {name} out kB"] = stats["total_net_output_bytes"] / 1000
            server.close()
        return found


def told(costs: Sequence[dict[str, float]]) -> str:
    """Say what a window costs: medians."""
    return ", ".join(f"{name} {median(each[name] for each in costs):.3g}" for name in costs[0])


def workers(folder: Path, size: Size) -> list[Row]:
    """One vocoder, two and many, in turn."""
    voice, count = speech(folder / "voice.wav", 6), size.of(WINDOWS, 4)
    rates: dict[int, list[float]] = {1: [], 2: [], CROWD: []}
    with relay(simulated(vocoder=DEVICE)) as producer:
        session = open_session(producer)
        work_off(waiting(producer, session, recording(producer, folder, 2), voice, 1))
        for turn in range(size.rounds):
            for number, series in rates.items():
                if number == CROWD and turn:
                    continue  # it takes a while to start, and has no bound
                vox("scale", f"vocoder={number}")
                jobs = max(number // 2, 1)
                series.append(work_off(waiting(producer, session, recording(producer, folder, count), voice, jobs)))
        session.close()
    what = f"windows a second by {{}} vocoders whose devices take {DEVICE} s a window"
    two = ratio(what.format(2), "by one", over=rates[2], under=rates[1], least=1.9)
    many = ratio(what.format(CROWD), "by one, once", over=rates[CROWD], under=rates[1][:1], least=1)
    rest = [f"{median(rates[number]):.2f} and {median(rates[1]):.2f}" for number in (2, CROWD)]
    return [
        Row(two.what, two.against, two.bound, f"{two.measured}; {rest[0]}", two.held, two.figures),
        Row(many.what, many.against, "-", f"{many.measured}; {rest[1]}", None, many.figures),
    ]


def backlogs(folder: Path, size: Size) -> list[Row]:
    """The same windows in few jobs and in many, in turn."""
    voice, count, counted = speech(folder / "voice.wav", 6), size.of(BACKLOG, 100), size.of(COUNTED, 100)
    rates: dict[int, list[float]] = {jobs: [] for jobs in JOBS}
    costs = []
    with relay({**simulated(), **SHORT}) as producer:
        session = open_session(producer)
        work_off(waiting(producer, session, recording(producer, folder, 10), voice, 1))
        for turn in range(size.rounds):
            for jobs, series in sorted(rates.items(), reverse=bool(turn % 2)):
                held = waiting(producer, session, recording(producer, folder, count // jobs), voice, jobs)
                meter = Meter(producer)
                series.append(work_off(held, counted))
                costs.append(meter.per_window(counted))
        session.close()
    few, many = JOBS
    row = ratio(f"windows a second, {count} waiting in {many} jobs", f"in {few} jobs",
                over=rates[many], under=rates[few], least=1 - WITHIN)  # fmt: skip
    held = abs(median(row.figures["ratios"]) - 1) <= WITHIN
    measured = f"{row.measured}; {median(rates[many]):.1f} and {median(rates[few]):.1f}; a window costs {told(costs)}"
    return [Row(row.what, row.against, "0.9x to 1.1x", measured, held, {**row.figures, "costs": costs})]


def measure(size: Size) -> Report:
    """Measure both."""
    parts = {"workers": workers, "backlog": backlogs}
    with tempfile.TemporaryDirectory() as name:
        rows = [row for part in size.parts for row in parts[part](Path(name), size)]
    bias = (
        "for us by models that take no processor: on a machine whose cores compute as well, workers and Redis share "
        "them. Processor time counts workers and Redis, the client's is not in it."
    )
    return Report(rows, bias)


if __name__ == "__main__":
    main(measure, __doc__ or "", PARTS)
