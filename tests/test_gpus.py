"""Several GPUs: worker processes get one each, and keep it through a restart."""

from pathlib import Path

import pytest
from test_restart import changed

from conftest import vox, vox_json
from voxrelay.fleet import gpus


@pytest.mark.parametrize(
    ("named", "found"),
    [(None, ["0", "1"]), ("3, GPU-5a", ["3", "GPU-5a"]), ("", [])],
    ids=["all", "those named", "none on purpose"],
)
def test_gpus_are_those_that_a_process_would_see(
    named: str | None, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nvidia0", "nvidia4", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    monkeypatch.delenv(gpus.VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(gpus.VARIABLE, named)
    assert gpus.seen(tmp_path) == found


def test_gpus_are_dealt_in_turn_within_a_pool_then_among_pools() -> None:
    dealt: dict[str, list[str]] = {"mel": [], "vocoder": []}
    for pool in ("mel", "vocoder", "vocoder", "vocoder", "mel"):
        dealt[pool].append(gpus.deal(["4", "7"], dealt[pool], [*dealt["mel"], *dealt["vocoder"]]))
    assert dealt == {"mel": ["4", "7"], "vocoder": ["7", "4", "7"]}
    assert gpus.deal([], [], []) == ""


def test_each_worker_sees_a_gpu_of_its_own(settings: dict[str, str], tmp_path: Path, redis_server: str) -> None:
    env = {**changed(settings, tmp_path), "REDIS_URL": redis_server}
    env |= {"VOXRELAY_DEVICE": "auto", gpus.VARIABLE: "4,7"}  # neither is here: what computes, does on the CPU
    vox("up", "content", env=env)
    try:
        vox("scale", "content=2", env=env)
        before = visible(env)
        vox("restart", "content", env=env)
        after = visible(env)
    finally:
        vox("down", env=env)
    assert sorted(before.values()) == sorted(after.values()) == ["4", "7"]
    assert not before.keys() & after.keys()


def visible(env: dict[str, str]) -> dict[int, str]:
    """Return what the worker processes see of GPUs."""
    found = {}
    for row in vox_json("ps", env=env)["workers"]:
        text = Path(f"/proc/{row['process']}/environ").read_text()
        found[row["process"]] = dict(one.split("=", 1) for one in text.split("\0") if one)[gpus.VARIABLE]
    return found
