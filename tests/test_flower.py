"""vox flower: a real Flower tells a real conversion in words that a person reads, to whom it knows."""

import re
import time
import urllib.error
from pathlib import Path

import pytest

from conftest import vox, vox_json
from flowers import Flower


def test_flower_tells_of_a_conversion(relay: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    with Flower(relay) as flower:
        time.sleep(2)  # it listens for events from now on
        vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=relay)
        job = vox_json("job", "list", env=relay)["jobs"][0]["job"]
        tasks = flower.get("/api/tasks", search=job)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and any(task["state"] != "SUCCESS" for task in tasks.values()):
            time.sleep(0.2)
            tasks = flower.get("/api/tasks", search=job)
        vocoded = [task for task in tasks.values() if task["name"] == "voxrelay.vocoder"]
        assert len(vocoded) > 1
        assert {task["args"] for task in vocoded} == {f"{job} window {n}" for n in range(len(vocoded))}
        assert {task["kwargs"] for task in vocoded} == {"vocoder griffin-lim"}
        assert {task["name"] for task in tasks.values()} == {
            f"voxrelay.{stage}" for stage in ("speaker", "content", "mel", "vocoder")
        }
        for task in tasks.values():
            assert re.fullmatch(rf"{job} (window|reference) \d+", task["args"])
            assert task["result"] in (None, "None")
            assert task["state"] == "SUCCESS"
            assert task["received"] <= task["started"] <= task["succeeded"]  # no event was lost
        _refuses(flower)


def _refuses(flower: Flower) -> None:
    for path in ("/api/tasks", "/api/workers", "/tasks", "/"):
        for user in ("", "ann:wrong"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                flower.get(path, user=user)


def test_flower_refuses_strangers_and_says_why(redis_server: str, tmp_path: Path) -> None:
    env = {"REDIS_URL": redis_server}
    done = vox("flower", "--address", "0.0.0.0", env=env, code=4)  # noqa: S104 - it refuses
    assert "FLOWER_BASIC_AUTH=user:password" in done.stderr
    (tmp_path / "user").write_text("ann\n")
    for path, words in ((tmp_path / "user", "is not user:password"), (tmp_path, "cannot be read")):
        assert words in vox("flower", env={**env, "FLOWER_BASIC_AUTH_FILE": str(path)}, code=4).stderr
    assert "no Redis answers" in vox("flower", env={"REDIS_URL": "redis://127.0.0.1:1/0"}, code=5).stderr
