"""An hour against five minutes: time per minute, and memory of Redis and of the client, stay what they are."""

import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limits import bench
from limits.bench import Bench, Row
from voxrelay.relay import keys

SHORT, LONG, REPEATS = 300.0, 3600.0, 3
TIME, MEMORY = 0.10, 1.2
_LOOK_SECONDS = 0.5
_MEGABYTE = 1_000_000


@dataclass
class Peaks:
    """The most that was seen, in bytes; Redis without the sound at rest, beyond what it holds when idle."""

    redis: int = 0
    client: int = 0


def convert(where: Bench, source: Path, voice: Path) -> tuple[float, float, Peaks]:
    """Convert a recording; return the seconds of the command, those of its job until it was done, and peaks."""
    ended, peaks, idle = threading.Event(), Peaks(), _used(where)
    began = time.monotonic()
    client = where.start("convert", source, "--voice", voice, "-o", source.with_suffix(".out.wav"), stderr=-3)
    watching = threading.Thread(target=_watch, args=(where, client.pid, idle, peaks, ended))
    watching.start()
    code = client.wait()
    seconds = time.monotonic() - began
    ended.set()
    watching.join()
    assert code == 0
    newest = where.jobs.zrange(keys.JOBS, -1, -1)[0].decode()
    created, finished = map(float, where.jobs.hmget(keys.job(newest), "created", "finished"))
    return seconds, finished - created, peaks


def _watch(where: Bench, client: int, idle: int, peaks: Peaks, ended: threading.Event) -> None:
    """Look at both servers and at the client until it has ended."""
    while not ended.wait(_LOOK_SECONDS):
        peaks.redis = max(peaks.redis, _used(where) - idle)
        status = Path(f"/proc/{client}/status").read_text().split("VmHWM:")
        if len(status) > 1:
            peaks.client = max(peaks.client, int(status[1].split()[0]) * 1024)


def _used(where: Bench) -> int:
    """Return what both servers hold but for the sound at rest: sources, results, and the sounds of voices."""
    jobs, patterns = where.jobs, (keys.sources("*"), keys.results("*"), keys.sounds("*"))
    sound = [key for pattern in patterns for key in jobs.scan_iter(match=pattern, count=1000)]
    used = sum(int(store.info("memory")["used_memory"]) for store in (jobs, where.tensors))
    return used - sum(int(jobs.memory_usage(key, samples=0) or 0) for key in sound)


def figures(folder: Path, seed: int, *, short: float, long: float, repeats: int) -> dict[str, Any]:
    """Convert a short recording before and after a long one, so that a machine that changes is noticed."""
    voice = bench.write(folder / "voice.wav", bench.speech(8, seed, bench.CLIPS[1:]))
    brief, whole = (bench.write(folder / f"{s:.0f}.wav", bench.speech(s, seed)) for s in (short, long))
    with bench.relay(folder, {"limits": {"source": 2 * long}}) as where:
        convert(where, brief, voice)  # warm, and the voice is prepared
        before = [convert(where, brief, voice) for _ in range(repeats)]
        seconds, job, peaks = convert(where, whole, voice)
        after = [convert(where, brief, voice) for _ in range(repeats)]
    both = before + after
    command, pace = (statistics.median(each[n] for each in both) / short for n in (0, 1))
    return {
        "time": job / long / pace,
        "command": seconds / long / command,
        "short_seconds": [s for _, s, _ in both],
        "long_seconds": job,
        "redis_short": statistics.median(p.redis for *_, p in both),
        "redis_long": peaks.redis,
        "client_short": statistics.median(p.client for *_, p in both),
        "client_long": peaks.client,
    }


def measure(folder: Path, seed: int) -> list[Row]:
    """Compare an hour with five minutes."""
    found = figures(folder, seed, short=SHORT, long=LONG, repeats=REPEATS)
    spread = f"{min(found['short_seconds']):.0f} to {max(found['short_seconds']):.0f} s"
    rows = [
        Row(
            "60 min against 5 min: time per minute",
            f"within {TIME:.0%}",
            f"{found['time']:.3f} x; 5 min took {spread}, 60 min {found['long_seconds']:.0f} s; "
            f"with the start of the command {found['command']:.3f} x",
            abs(found["time"] - 1) <= TIME,
            found,
        )
    ]
    for who, name in (("redis", "Redis without sound at rest"), ("client", "the client's memory")):
        large, small = found[f"{who}_long"], found[f"{who}_short"]
        told = f"{large / small:.2f} x ({small / _MEGABYTE:.1f} to {large / _MEGABYTE:.1f} MB)"
        rows.append(Row(f"60 min against 5 min: {name}, peak", f"<= {MEMORY} x", told, large <= MEMORY * small, {}))
    return rows


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
