"""What is broken on purpose, in short: `make faults` does the same at full size."""

from collections.abc import Callable
from pathlib import Path

import pytest

import networks
from faults import hosts, kills, lost, outages, partitions, walkaway


def test_windows_of_killed_workers_are_done_again(tmp_path: Path) -> None:
    done = kills.run(tmp_path, 0, jobs=4, windows=3, kills=5, pause=0.2)
    assert sum(done.killer.hits.values()) == 5
    assert (done.disturbed.lost, done.disturbed.doubled) == (0, 0)
    assert done.disturbed.outputs == done.quiet.outputs


def test_careless_workers_lose_windows_and_proper_ones_find_them(tmp_path: Path) -> None:
    for seed in range(3):  # who is killed between writing a result and giving the lease back loses nothing
        (tmp_path / str(seed)).mkdir()
        done = lost.run(tmp_path / str(seed), seed, windows=6, kills=3, pause=0.2)
        assert done.kills
        if done.windows:
            break
    assert done.windows > 0
    assert done.endless == []
    assert done.completed == done.quiet


@pytest.mark.parametrize("how", [outages.durable, outages.forgetful])
def test_a_redis_that_is_killed_costs_no_window(how: Callable[..., outages.Outage], tmp_path: Path) -> None:
    done = how(tmp_path, 0, jobs=2, windows=4, times=1)
    assert len(done.back) == 1
    assert (done.disturbed.lost, done.disturbed.doubled) == (0, 0)
    assert done.disturbed.outputs == done.quiet.outputs


@pytest.mark.parametrize("who", ["workers", "client"])
def test_whoever_is_cut_off_goes_on(who: str, tmp_path: Path) -> None:
    cut_off(tmp_path, who, "a wire that goes silent")


@pytest.mark.slow
@pytest.mark.parametrize("who", ["workers", "client"])
def test_a_host_that_is_cut_off_goes_on(who: str, tmp_path: Path) -> None:
    if without := networks.missing():
        pytest.skip(without)
    cut_off(tmp_path, who, "its network namespace taken off the bridge")


@pytest.mark.slow
def test_a_batch_ends_complete_without_one_of_its_hosts(tmp_path: Path) -> None:
    if without := networks.missing():
        pytest.skip(without)
    done = hosts.run(tmp_path, 0, recordings=24)
    assert (done.lost, done.surplus, done.differing) == (0, 0, 0)
    assert done.before["north"] > 0
    assert done.before["south"] > 0
    assert done.after["north"] > 0
    assert done.after["south"] == 0


def cut_off(folder: Path, who: str, through: str) -> None:
    done = partitions.run(folder, 0, who, through, jobs=1, windows=6, seconds=8)
    assert (done.disturbed.lost, done.disturbed.doubled) == (0, 0)
    assert done.disturbed.outputs == done.quiet.outputs


def test_a_client_that_dies_after_submit_is_not_missed(tmp_path: Path) -> None:
    done = walkaway.run(tmp_path, 0, windows=3)
    assert done.fetched == done.quiet
