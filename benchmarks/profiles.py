"""Where the time goes: a worker's by package, with models that compute nothing; the networks' by operator.

    .venv/bin/python benchmarks/profiles.py

Samples the workers with py-spy (https://github.com/benfred/py-spy, which nothing else needs: install it first) while
windows pass the chain one by one, as in chain.py. A sample is of a thread that holds the interpreter, and counts for
the innermost package that is not Python's own, of ours for the module. Then torch's profiler looks at one conversion
by the models of the profile; see operators.py.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from bench import relay, relay_processes, simulated, speech
from chain import chains

from voxrelay.fleet import environments

SECONDS, RATE = 30, 250  # of sampling, and samples a second
LEAST = 0.03  # share of a row that is told
_OURS = re.compile(r"/((?:relay|workers|benchmarks)/[\w/]+)\.py:\d+\)")
_PACKAGE = re.compile(r"/site-packages/(?!voxrelay)(\w+)[/.]")


def sampled(spy: str, processes: dict[str, int], folder: Path) -> dict[str, Counter[str]]:
    """Sample workers at once; return how often each was found in each package."""
    files = {name: folder / f"{process}.txt" for name, process in processes.items()}
    options = ["--duration", SECONDS, "--rate", RATE, "--format", "raw", "--full-filenames", "--gil"]
    running = [
        subprocess.Popen([spy, "record", "--pid", str(process), "--output", files[name], *map(str, options)],
                         stdout=subprocess.DEVNULL)
        for name, process in processes.items()
    ]  # fmt: skip
    ended = [each.wait() for each in running]
    if any(ended):
        raise RuntimeError("py-spy may not look at these processes: see above")
    return {name: by_package(file.read_text()) for name, file in files.items()}


def by_package(stacks: str) -> Counter[str]:
    """Count py-spy's stacks, ``frame;frame;... count`` a line, by their innermost package or module of ours."""
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        known = [match[1] for frame in frames.split(";") if (match := _PACKAGE.search(frame) or _OURS.search(frame))]
        found[known[-1] if known else "Python"] += int(count)
    return found


def workers(spy: str) -> dict[str, Counter[str]]:
    """Profile the workers of a relay whose models compute nothing while windows pass."""
    with relay({**simulated(), "limits": {"in_flight": 1}}) as producer, tempfile.TemporaryDirectory() as name:
        folder, done = Path(name), threading.Event()
        source, voice = speech(folder / "source.wav", 60), speech(folder / "voice.wav", 6)
        chains(producer, source, voice)

        def convert() -> None:
            while not done.is_set():
                chains(producer, source, voice)

        busy = threading.Thread(target=convert)
        busy.start()
        try:
            processes = {key: value for key, value in relay_processes(producer).items() if not key.startswith("redis")}
            return sampled(spy, processes, folder)
        finally:
            done.set()
            busy.join()


def networks() -> str:
    """Have torch's profiler look at the models of the profile, in an environment that has them."""
    mel, packages = environments.find("mel"), environments.find("speaker").packages
    with tempfile.TemporaryDirectory() as folder:
        source = speech(Path(folder) / "source.wav", 5.12)
        command = [mel.python, Path(__file__).with_name("operators.py"), packages, source]
        variables = environments.variables(mel, 1)
        return subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    """Print both tables."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if not spy:
        sys.exit("py-spy is not installed: .venv/bin/pip install py-spy")
    print("| worker | holds the interpreter | of which in |\n|---|---|---|")
    for name, found in workers(spy).items():
        total = found.total() or 1
        shares = ", ".join(f"{key} {n / total:.0%}" for key, n in found.most_common() if n >= LEAST * total)
        print(f"| {name.partition(' ')[0]} | {total / (SECONDS * RATE):.0%} of the time | {shares} |")
    print(f"\n{networks()}")


if __name__ == "__main__":
    main()
