"""Workers are killed with -9 while they hold leases: nothing is lost or doubled, no byte differs."""

from dataclasses import dataclass
from pathlib import Path

from faults.killer import Killer
from faults.load import Load, Outcome, convert
from limits.bench import Row, main, relay

JOBS, WINDOWS, KILLS, PAUSE = 30, 10, 25, 4.0


@dataclass(frozen=True)
class Killed:
    """The undisturbed run, the other one, and who was hit."""

    quiet: Outcome
    disturbed: Outcome
    killer: Killer


def run(folder: Path, seed: int, *, jobs: int, windows: int, kills: int, pause: float) -> Killed:
    """Convert a load twice, the second time with workers dying."""
    load = Load.make(folder / "load", jobs, windows, seed)
    with relay(folder, {"timeouts": {"lease": 5, "patience": 10}}) as bench:
        quiet = convert(load, bench.env, folder / "quiet")
        bench.tensors.flushdb()  # voices that are prepared: they are to be prepared again
        killer = Killer(bench.jobs, kills, seed, pause)
        killer.start()
        disturbed = convert(load, bench.env, folder / "disturbed")
        killer.stopping.set()
        killer.join()
    return Killed(quiet, disturbed, killer)


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it at full size."""
    done = run(folder, seed, jobs=JOBS, windows=WINDOWS, kills=KILLS, pause=PAUSE)
    kills, differing = sum(done.killer.hits.values()), done.disturbed.differing(done.quiet)
    lost, doubled = done.disturbed.lost, done.disturbed.doubled
    held = not (lost or doubled or differing) and kills == KILLS
    hits = done.killer.report()
    return [
        Row(
            f"{JOBS * WINDOWS} windows of {JOBS} jobs, {KILLS} `kill -9` of workers that held a lease",
            "0 lost, 0 doubled, byte-identical",
            f"{kills} kills ({hits}): {lost} lost, {doubled} doubled, {differing} outputs differ",
            held,
            {"kills": kills, "hits": hits, "lost": lost, "doubled": doubled, "differing": differing},
        )
    ]


if __name__ == "__main__":
    main(measure, __doc__ or "")
