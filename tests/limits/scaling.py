"""A pool is scaled while conversions run: up, and down again. Nothing is lost or repeated, others are undisturbed."""

import itertools
import json
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import vox, vox_json
from flowers import Flower
from limits import toy
from limits.bench import CLIPS, Bench, Row, main, relay, speech, write
from voxrelay.relay import keys
from voxrelay.relay.ledger import Ledger

CONVERSIONS, SECONDS = 100, 5.0
POOL, DEVICE_SECONDS = "vocoder", 0.5
SEEN_SECONDS = 30


@dataclass(frozen=True)
class Scaled:
    """What came of it.

    ``lost`` outputs are missing, ``repeated`` stages were done twice on a window; ``processes`` of each pool
    before, with two, and after; ``seen`` by Flower those of the vocoder; ``told`` what the commands said;
    ``moments`` at which the second worker was asked for and there, and at which it was to leave and had left;
    ``filed`` when each window was done, by the process that did it; ``summary`` of the batch.
    """

    lost: int
    repeated: int
    processes: list[dict[str, set[int]]]
    seen: list[set[int]]
    told: list[str]
    moments: list[float]
    filed: list[tuple[float, int]]
    summary: dict[str, Any]

    def rate(self, begin: float, end: float) -> float:
        """Return windows a second between two moments."""
        return sum(begin <= moment < end for moment, _ in self.filed) / (end - begin)

    @property
    def rates(self) -> tuple[float, float, float]:
        """Windows a second with one vocoder, with two, and with one again."""
        asked, there, leave, left = self.moments
        first, last = min(moment for moment, _ in self.filed), max(moment for moment, _ in self.filed)
        return self.rate(first, asked), self.rate(there, leave), self.rate(min(left, last - 0.1), last)


def run(bench: Bench, seed: int, *, conversions: int, seconds: float, first: float = 1 / 3) -> Scaled:
    """Convert a folder; after a first share of it have two vocoders, after half of what is left then one again."""
    sources, out = bench.folder / "sources", bench.folder / "out"
    sources.mkdir()
    for number in range(conversions):
        write(sources / f"{number:03}.wav", speech(seconds, seed + number))
    voice = write(bench.folder / "voice.wav", speech(6, seed, CLIPS[1:]))
    command = ("batch", sources, "--voice", voice, "-o", out, "--json")
    processes, told, moments = [_processes(bench)], list[str](), list[float]()
    with Flower(bench.env) as flower:
        seen = [_seen(flower, processes[0])]
        batch = bench.start(*command, stdout=subprocess.PIPE)
        wanted = first * conversions
        for size in (2, 1):
            while len(list(out.glob("*.wav"))) < wanted:
                assert batch.poll() is None
                time.sleep(0.05)
            moments.append(time.time())
            told.append(vox("scale", f"{POOL}={size}", env=bench.env).stderr)
            moments.append(time.time())
            processes.append(_processes(bench))
            seen.append(_seen(flower, processes[-1]))
            wanted = (len(list(out.glob("*.wav"))) + conversions) / 2
        summary = json.loads(batch.communicate()[0])
    assert batch.returncode == 0
    ledger = Ledger(bench.jobs, bench.config)
    jobs = ledger.recent(10 * conversions)
    works = [work for job in jobs for work in ledger.works(job) if (work.part, work.stage) == ("window", POOL)]
    return Scaled(
        lost=conversions - len(list(out.glob("*.wav"))) + abs(len(jobs) - conversions),
        repeated=sum(_repeated(bench, job) for job in jobs),
        processes=processes,
        seen=seen,
        told=told,
        moments=moments,
        filed=sorted((work.times.filed, work.process) for work in works),
        summary=summary,
    )


def _processes(bench: Bench) -> dict[str, set[int]]:
    rows = sorted((row["pool"], row["process"]) for row in vox_json("ps", env=bench.env)["workers"])
    return {pool: {process for _, process in group} for pool, group in itertools.groupby(rows, lambda row: row[0])}


def _seen(flower: Flower, processes: dict[str, set[int]]) -> set[int]:
    """Return the vocoder's processes that Flower sees, which may take a heartbeat or two."""
    deadline = time.monotonic() + SEEN_SECONDS
    while (found := flower.workers(POOL)) != processes[POOL] and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _repeated(bench: Bench, job: str) -> int:
    """Count stages that a job's trace has more often than once on a window."""
    trace = {name: value for name, value in bench.jobs.hgetall(keys.trace(job)).items() if name.startswith(b"window:")}
    return sum(len(value.splitlines()) - 4 for value in trace.values())


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size: with a vocoder that needs the processor, and with one that waits for its own device."""
    rows = []
    for vocoder in ("griffin-lim", toy.NAME):
        (folder / vocoder).mkdir()
        changes = {"stages": toy.stages(folder / vocoder, DEVICE_SECONDS)}
        with relay(folder / vocoder, changes, vocoder=vocoder) as bench:
            done = run(bench, seed, conversions=CONVERSIONS, seconds=SECONDS)
        rows.append(_row(done, vocoder if vocoder != toy.NAME else f"a device's {DEVICE_SECONDS} s a window"))
    return rows


def _row(done: Scaled, vocoder: str) -> Row:
    one, two, again = done.rates
    shares = Counter(process for moment, process in done.filed if done.moments[1] <= moment < done.moments[2])
    others = [{name: of for name, of in found.items() if name != POOL} for found in done.processes]
    held = not done.lost and not done.repeated and others[0] == others[1] == others[2] and len(shares) > 1
    held = held and done.seen == [found[POOL] for found in done.processes]
    return Row(
        f"{CONVERSIONS} conversions of {SECONDS:.0f} s by {vocoder}; for a part of them, `vox scale vocoder=2`",
        "nothing lost or repeated, the other pools undisturbed, the second vocoder seen in Flower",
        f"{done.lost} lost, {done.repeated} repeated; {one:.2f} windows/s before, {two:.2f} with two vocoders "
        f"({two / one:.2f} x), {again:.2f} with one again; "
        f"vocoders that Flower saw {', '.join(str(len(seen)) for seen in done.seen)}",
        held,
        {"rates": done.rates, "shares": list(shares.values()), "told": done.told},
    )


if __name__ == "__main__":
    main(measure, __doc__ or "")
