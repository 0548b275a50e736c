"""Half an hour at half load: does any process or Redis grow?

The pools of the default profile convert one clip after another, each given twice the time that its length took in the
first rounds: a pace that changed with the machine would show as growth, because Redis keeps records of the jobs of the
last five minutes (here instead of a day, so that as many go as come). Every process of the relay and both redis-servers
are looked at after each pause, when what a conversion needed is given back; growth is from the median of the first
fifth of the last two thirds to the median of their last fifth.
"""

import itertools
import json
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import Report, Row, Size, main, relay, relay_processes, speech, stores

from voxrelay import Producer

MINUTES, SMALL_MINUTES = 30, 0.2
BOUND = 0.02
KEPT = {"lifetimes": {"jobs": 300, "tensors": 300}}
LENGTHS = (3.0, 6.0, 11.0, 20.0)  # seconds of the clips, in turn
ROUNDS = 5  # in which it is measured how long each takes


def resident(process: int) -> float:
    """Return the memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def sample(producer: Producer, processes: dict[str, int]) -> dict[str, float]:
    """Look at every process and at what the redis-servers hold, in MB."""
    found = {name: resident(process) for name, process in processes.items()}
    for name, server in stores(producer).items():
        found[f"held by redis {name}"] = server.info("memory")["used_memory"] / 2**20
        server.close()
    return found


def drive(producer: Producer, folder: Path, seconds: float) -> list[tuple[float, dict[str, float]]]:
    """Convert at half load; return what was seen, and when."""
    voice = speech(folder / "voice.wav", 6)
    clips = [speech(folder / f"{length}.wav", length, start=length) for length in LENGTHS]
    processes, seen = relay_processes(producer), []
    took: list[list[float]] = [[] for _ in clips]
    due = time.monotonic()
    end = due + seconds
    for clip, before in itertools.cycle(zip(clips, took, strict=True)):
        if (began := time.monotonic()) >= end:
            break
        producer.convert(clip, str(voice), folder / "out.wav")
        if len(before) < ROUNDS:
            before.append(time.monotonic() - began)
        due += 2 * median(before)
        time.sleep(max(due - time.monotonic(), 0))
        seen.append((began, sample(producer, processes)))
    if relay_processes(producer) != processes:
        raise RuntimeError("a process was replaced")
    return seen


def growth(seen: list[tuple[float, dict[str, float]]], name: str) -> tuple[float, float]:
    """Return a process' memory at the end, in MB, and by which share it grew in the last two thirds."""
    values = [each[name] for _, each in seen[len(seen) // 3 :]]
    fifth = max(len(values) // 5, 1)
    first, last = median(values[:fifth]), median(values[-fifth:])
    return last, last / first - 1


def measure(size: Size) -> Report:
    """Soak."""
    minutes = SMALL_MINUTES if size.small else MINUTES
    with relay(KEPT) as producer, tempfile.TemporaryDirectory() as folder:
        seen = drive(producer, Path(folder), 60 * minutes)
    rows = []
    for name in seen[0][1]:
        last, grown = growth(seen, name)
        series = json.loads(json.dumps([(moment - seen[0][0], each[name]) for moment, each in seen]))
        label = name.partition(" ")[0] if not name.startswith(("redis", "held")) else name
        rows.append(Row(label, "its memory ten minutes in", f"< {BOUND:.0%}", f"{grown:+.1%} to {last:.1f} MB",
                        grown < BOUND, {"seconds, MB": series}))  # fmt: skip
    bias = (
        f"{len(seen)} conversions in {minutes:g} min. Half load is that of one client; what grows with the "
        "number of voices or of jobs of different lengths is not in it."
    )
    return Report(rows, bias)


if __name__ == "__main__":
    main(measure, __doc__ or "")
