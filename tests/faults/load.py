"""Many conversions at once: the same every time, so that a disturbed run can be held against an undisturbed one."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import redis

from limits.bench import CLIPS, RATE, speech, write
from voxrelay import Producer
from voxrelay.relay import config as configuration
from voxrelay.relay import keys
from voxrelay.relay.config import WindowSize

AT_ONCE = 4  # jobs that one client has in flight
_STEP = 4.48  # seconds between windows
_VOICE_SECONDS = 6.0  # two clips


@dataclass(frozen=True)
class Load:
    """Recordings of some windows each, and a voice of its own for each."""

    sources: list[Path]
    voices: list[Path]

    @classmethod
    def make(cls, folder: Path, jobs: int, windows: int, seed: int) -> "Load":
        """Write the recordings: speech at 16 kHz."""
        folder.mkdir()
        seconds = 2.56 + (windows - 1) * _STEP - 0.5
        sources = [write(folder / f"source-{n}.wav", speech(seconds, seed + n)) for n in range(jobs)]
        voices = [
            write(folder / f"voice-{n}.wav", speech(_VOICE_SECONDS, seed + 1000 + n, [CLIPS[n % 2]]))
            for n in range(jobs)
        ]
        assert len(WindowSize().cut(round(seconds * RATE))) == windows
        return cls(sources, voices)


@dataclass(frozen=True)
class Outcome:
    """What became of a load: the outputs, byte by byte; windows that ended with no result, or with several."""

    outputs: list[bytes]
    lost: int
    doubled: int

    def differing(self, other: "Outcome") -> int:
        """Count the outputs that are not byte-identical."""
        return sum(one != another for one, another in zip(self.outputs, other.outputs, strict=True))


def convert(load: Load, env: Mapping[str, str], folder: Path) -> Outcome:
    """Submit every conversion, a few at a time, and fetch each when it is done."""
    folder.mkdir()
    config = configuration.load(env)

    def one(number: int) -> tuple[bytes, int, int]:
        output = folder / f"{number}.wav"
        with Producer(config).submit(load.sources[number], str(load.voices[number])) as conversion:
            conversion.wait()
            landed = landings(redis.Redis.from_url(config.redis.jobs or ""), conversion.job)
            windows = len(conversion.manifest.windows)
            conversion.fetch(output)
        return output.read_bytes(), windows - len(landed), sum(landed.values()) - len(landed)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        outputs, lost, doubled = zip(*threads.map(one, range(len(load.sources))), strict=True)
    return Outcome(list(outputs), sum(lost), sum(doubled))


def landings(jobs: redis.Redis, job: str) -> Counter[bytes]:
    """Count how often each window's sound was filed, as the job's events tell."""
    events = [fields for _, fields in jobs.xrange(keys.events(job))]
    return Counter(
        fields[b"index"] for fields in events if (fields[b"part"], fields[b"stage"]) == (b"window", b"vocoder")
    )
