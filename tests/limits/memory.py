"""Redis at its memory limit: new jobs are refused, running ones finish, and nothing is evicted."""

from dataclasses import dataclass
from pathlib import Path

from limits import bench
from limits.bench import Row
from voxrelay import Conversion, Producer, VoxError

MEMORY = {"jobs": "48mb", "tensors": "64mb"}
_MOST = 50


@dataclass(frozen=True)
class Full:
    """How many jobs were accepted and done, what the next one was told, and what happened in Redis."""

    accepted: int
    done: int
    refusal: str
    evicted: int
    peak: float


def run(folder: Path, seed: int, seconds: float) -> Full:
    """Submit jobs until one is refused, then let those that were accepted finish."""
    voice = bench.write(folder / "voice.wav", bench.speech(6, seed, bench.CLIPS[1:]))
    source = bench.write(folder / "source.wav", bench.speech(seconds, seed))
    with bench.relay(folder, memory=MEMORY) as where:
        producer, accepted, refusal = Producer(where.config), list[Conversion](), ""
        while not refusal and len(accepted) < _MOST:
            try:
                accepted.append(producer.submit(source, str(voice)))
            except VoxError as error:
                refusal = str(error)
        states = [conversion.wait() for conversion in accepted]
        facts = [store.info("memory") for store in (where.jobs, where.tensors)]
        evicted = sum(int(store.info("stats")["evicted_keys"]) for store in (where.jobs, where.tensors))
        for number, conversion in enumerate(accepted):
            conversion.fetch(folder / f"{number}.wav")
        producer.submit(source, str(voice)).cancel()  # there is room again
    peak = max(fact["used_memory_peak"] / fact["maxmemory"] for fact in facts)
    return Full(len(accepted), states.count("done"), refusal, evicted, peak)


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it with a small Redis."""
    found = run(folder, seed, 60)
    told = (
        f"{found.accepted} jobs accepted, {found.done} done, {found.evicted} keys evicted; at most {found.peak:.0%} "
        f"used; the next was told: {found.refusal}"
    )
    held = 0 < found.accepted == found.done and "come back" in found.refusal and not found.evicted
    bound = "new jobs refused, accepted ones done, nothing evicted"
    return [Row(f"Redis with {MEMORY['jobs']} for jobs", bound, told, held, vars(found))]


if __name__ == "__main__":
    bench.main(measure, __doc__ or "")
