"""A batch of ten thousand rows against one of five hundred: memory of the client and of Redis stay what they are."""

import csv
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from limits import bench, toy
from limits.bench import Bench, Row

FEW, MANY, CLIPS = 500, 10_000, 20
MEMORY = 1.5
REDIS = "64mb"
_LOOK_SECONDS = 0.5
_MEGABYTE = 1_000_000


@dataclass
class Cost:
    """What a batch took: seconds, and the most that was seen of memory, in bytes, and of running jobs."""

    rows: int
    done: int = 0
    seconds: float = 0.0
    client: int = 0
    redis: int = 0
    jobs: int = 0


def run(where: Bench, rows: int) -> Cost:
    """Convert a table that names a few clips again and again."""
    table = where.folder / f"{rows}.csv"
    with table.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["source", "output"])
        lines.writerows([f"clip-{number % CLIPS}.wav", f"{number % 100}/{number}.wav"] for number in range(rows))
    out, cost, ended = where.folder / f"out-{rows}", Cost(rows), threading.Event()
    client = where.start("batch", table, "--voice", where.folder / "voice.wav", "-o", out, stdout=subprocess.DEVNULL)
    watching = threading.Thread(target=_watch, args=(where, client.pid, cost, ended))
    watching.start()
    code = client.wait()
    ended.set()
    watching.join()
    assert code == 0
    cost.done = len(list(out.glob("*/*.wav")))
    return cost


def _watch(where: Bench, client: int, cost: Cost, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_SECONDS):
        cost.seconds += _LOOK_SECONDS
        status = Path(f"/proc/{client}/status").read_text().split("VmHWM:")
        if len(status) > 1:
            cost.client = max(cost.client, int(status[1].split()[0]) * 1024)
        cost.redis = max(cost.redis, int(where.jobs.info("memory")["used_memory"]))
        cost.jobs = max(cost.jobs, int(where.jobs.zcard("vox:active")))


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size."""
    bench.write(folder / "voice.wav", bench.speech(8, seed, bench.CLIPS[1:]))
    for number in range(CLIPS):
        bench.write(folder / f"clip-{number}.wav", bench.speech(0.5, seed + number))
    # What a batch itself costs is to be seen: the vocoder takes no time.
    with bench.relay(folder, {"stages": toy.stages(folder, 0)}, vocoder=toy.NAME, memory={"jobs": REDIS}) as where:
        few, many = run(where, FEW), run(where, MANY)
        evicted = int(where.jobs.info("stats")["evicted_keys"])
    told = (
        f"{many.done} done in {many.seconds:.0f} s; client {few.client / _MEGABYTE:.0f} and "
        f"{many.client / _MEGABYTE:.0f} MB; Redis at most {many.redis / _MEGABYTE:.0f} MB; at most {many.jobs} jobs ran"
    )
    held = many.done == MANY and many.client <= MEMORY * few.client and not evicted
    bound = f"all done, the client's memory <= {MEMORY} x that of {FEW} rows, Redis with {REDIS} for jobs is enough"
    return [Row(f"a batch of {MANY} rows", bound, told, held, {"few": vars(few), "many": vars(many)})]


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
