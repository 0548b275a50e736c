"""One pool is replaced by another version of it while conversions run, and taken back, as docs/operations.md says."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from conftest import own_home, vox, vox_json
from faults.load import landings
from limits import toy
from limits.bench import CLIPS, settings, speech, write
from servers import DURABLE, Server
from voxrelay import Producer
from voxrelay.relay import config as configuration
from voxrelay.relay.ledger import Ledger

POOL, DEVICE_SECONDS = "vocoder", 0.3
CLIENTS, EACH = 2, 3  # conversions that each version is to do, at least


@dataclass(frozen=True)
class Done:
    """A conversion: the worker that made its sound, the sound, and how often each window was filed."""

    process: int
    sound: bytes
    filed: list[int]


@dataclass
class Clients:
    """Convert a recording again and again, two at a time, until told to stop."""

    env: dict[str, str]
    folder: Path
    done: list[Done] = field(default_factory=list)
    over: bool = False

    def run(self, number: int) -> None:
        """Be one of them."""
        try:
            self._convert(number)
        finally:
            self.over = True  # nobody waits for one that failed

    def _convert(self, number: int) -> None:
        source = write(self.folder / f"source-{number}.wav", speech(3, 0))
        voice = write(self.folder / f"voice-{number}.wav", speech(6, 0, CLIPS[1:]))
        config = configuration.load(self.env)
        jobs = redis.Redis.from_url(config.redis.jobs or "")
        for turn in itertools.count():
            if self.over:
                return
            output = self.folder / f"{number}-{turn}.wav"
            with Producer(config).submit(source, str(voice)) as conversion:
                conversion.wait()
                works = Ledger(jobs, config).works(conversion.job)
                filed = list(landings(jobs, conversion.job).values())
                conversion.fetch(output)
            (process,) = (work.process for work in works if (work.part, work.stage) == ("window", POOL))
            self.done.append(Done(process, output.read_bytes(), filed))

    def wait_for(self, processes: set[int]) -> None:
        """Wait until these workers have done some, too."""
        while sum(done.process in processes for done in list(self.done)) < EACH:
            if self.over:
                return
            time.sleep(0.05)


@pytest.mark.slow
def test_a_pool_is_upgraded_and_rolled_back_while_conversions_run(tmp_path: Path) -> None:
    with Server(tmp_path / "redis", **DURABLE) as server:
        old, new = (version(tmp_path / name, seed, server.url) for seed, name in enumerate(("old", "new")))
        others = {**old, **own_home(tmp_path)}  # the other pools, as on a machine of their own
        clients, makers = Clients(old, tmp_path), list[set[int]]()
        vox("up", "speaker", "content", "mel", env=others)
        try:
            vox("up", POOL, env=old)
            makers.append(vocoders(old))
            with ThreadPoolExecutor(CLIENTS) as threads:
                running = [threads.submit(clients.run, number) for number in range(CLIENTS)]
                try:
                    clients.wait_for(makers[-1])
                    for joins, leaves in ((new, old), (old, new)):
                        vox("up", POOL, env=joins)
                        makers.append(vocoders(old) - makers[-1])
                        vox("down", env=leaves)
                        assert vocoders(old) == makers[-1]
                        clients.wait_for(makers[-1])
                finally:
                    clients.over = True
                for one in running:
                    one.result()
        finally:
            for env in (old, new, others):
                vox("down", env=env)
    assert [len(processes) for processes in makers] == [1, 1, 1]
    assert {done.process for done in clients.done} == set.union(*makers)
    assert all(done.filed == [1] for done in clients.done)
    before, between, after = ({done.sound for done in clients.done if done.process in made} for made in makers)
    assert len(before) == len(between) == 1  # a conversion is what the version that made it makes of it
    assert before == after != between


def version(folder: Path, seed: int, url: str) -> dict[str, str]:
    """Write an installation's ``queues.yml``, the same in each, and its vocoder, which is not; return its variables."""
    folder.mkdir()
    env = settings(folder, {"stages": toy.stages(folder, DEVICE_SECONDS)}, vocoder=toy.NAME)
    model = folder / "toy_vocoder.py"
    model.write_text(model.read_text().replace("default_rng(0)", f"default_rng({seed})"))
    return {**env, "REDIS_URL": url}


def vocoders(env: dict[str, str]) -> set[int]:
    """Return the processes of the pool, of all installations."""
    return {row["process"] for row in vox_json("ps", env=env)["workers"] if row["pool"] == POOL}
