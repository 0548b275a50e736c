"""The client is killed as soon as ``vox submit`` has printed the job's id: another process fetches it."""

from dataclasses import dataclass
from pathlib import Path

from conftest import vox
from faults.load import Load
from limits.bench import Bench, Row, main, relay

WINDOWS = 10


@dataclass(frozen=True)
class Walkaway:
    """How the killed process ended, and both outputs."""

    code: int
    fetched: bytes
    quiet: bytes


def run(folder: Path, seed: int, *, windows: int) -> Walkaway:
    """Submit, kill, fetch; and convert the same undisturbed."""
    load = Load.make(folder / "load", 1, windows, seed)
    source, voice = load.sources[0], load.voices[0]
    with relay(folder) as bench:
        code, job = _submit_and_die(bench, source, voice)
        vox("job", "fetch", job, "-o", folder / "fetched.wav", env=bench.env)
        vox("convert", source, "--voice", voice, "-o", folder / "quiet.wav", env=bench.env)
    return Walkaway(code, (folder / "fetched.wav").read_bytes(), (folder / "quiet.wav").read_bytes())


def _submit_and_die(bench: Bench, source: Path, voice: Path) -> tuple[int, str]:
    client = bench.start("submit", source, "--voice", voice, stdout=-1)
    assert client.stdout is not None
    job = client.stdout.readline().strip()
    client.kill()
    return client.wait(), job


def measure(folder: Path, seed: int) -> list[Row]:
    """Do it once."""
    done = run(folder, seed, windows=WINDOWS)
    same = done.fetched == done.quiet
    what = "byte-identical to an undisturbed conversion" if same else "differs"
    return [
        Row(
            "client killed with -9 after `vox submit`; `vox job fetch` from a new process",
            "the job completes",
            f"fetched, {what}",
            same,
            {"code": done.code, "identical": same},
        )
    ]


if __name__ == "__main__":
    main(measure, __doc__ or "")
