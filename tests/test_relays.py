"""Private relays end with their parent, a shared Redis is left clean."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis
import soundfile

from conftest import VOX, own_home, own_temp, vox, vox_json
from voxrelay.fleet.server import find_redis_server


def ours(marker: str) -> list[str]:
    """List processes that carry a marker in their environment or command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            text = (entry / "environ").read_bytes() + command
        except OSError:
            continue
        if marker.encode() in text:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def marked(tmp_path: Path) -> dict[str, str]:
    """Return variables whose marker every process of a relay inherits, and folders for its sockets and jobs."""
    (tmp_path / "t").symlink_to(own_temp())
    marker = f"marker-{tmp_path.name}-{time.time_ns()}"
    return {**own_home(tmp_path), "VOXRELAY_TEST_MARKER": marker, "TMPDIR": str((tmp_path / "t").resolve())}


def gone(env: dict[str, str], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while ours(env["VOXRELAY_TEST_MARKER"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not ours(env["VOXRELAY_TEST_MARKER"])


@pytest.fixture(params=["found", "bundled"])
def path_without_redis(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """PATH as it is, and one on which there is no redis-server."""
    if request.param == "found":
        return os.environ["PATH"]
    (tmp_path / "bin").mkdir()
    return str(tmp_path / "bin")


def test_a_cold_conversion_leaves_nothing(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path, path_without_redis: str
) -> None:
    env = {**settings, **marked(tmp_path), "PATH": path_without_redis}
    vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", "--cold", env=env)
    assert soundfile.info(tmp_path / "out.wav").frames > 0
    assert gone(env, 1), ours(env["VOXRELAY_TEST_MARKER"])
    assert not list((tmp_path / "t").iterdir())


def test_nothing_outlives_a_killed_client_or_supervisor(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path
) -> None:
    env = {**settings, **marked(tmp_path)}
    arguments = ["convert", str(male), "--voice", str(female), "-o", str(tmp_path / "out.wav")]
    client = subprocess.Popen([VOX, *arguments, "--cold"], env={**os.environ, **env}, stderr=subprocess.DEVNULL)
    while len(ours(env["VOXRELAY_TEST_MARKER"])) < 7:  # client, supervisor, watcher, redis, pools
        time.sleep(0.05)
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert gone(env, 15), ours(env["VOXRELAY_TEST_MARKER"])

    vox(*arguments, env=env)
    state = next((tmp_path / "t").glob("voxrelay-*/state.json")).read_text()
    supervisor = int(state.split('"process": ', 1)[1].split(",", 1)[0])
    os.kill(supervisor, signal.SIGKILL)
    assert gone(env, 15), ours(env["VOXRELAY_TEST_MARKER"])


def test_ctrl_c_cleans_up(settings: dict[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    env = {**settings, **marked(tmp_path)}
    arguments = ["convert", str(male), "--voice", str(female), "-o", str(tmp_path / "out.wav"), "--cold"]
    client = subprocess.Popen([VOX, *arguments], env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)
    while len(ours(env["VOXRELAY_TEST_MARKER"])) < 5:
        time.sleep(0.05)
    client.send_signal(signal.SIGINT)
    _out, said = client.communicate(timeout=30)
    assert client.returncode == 130
    assert "interrupted" in said
    assert gone(env, 1)
    assert not (tmp_path / "out.wav").exists()


def test_an_idle_relay_ends_itself(settings: dict[str, str], male: Path, tmp_path: Path) -> None:
    config = Path(settings["VOXRELAY_CONFIG"]).read_text()
    (tmp_path / "queues.yml").write_text(config.replace("idle: 600.0", "idle: 1.0").replace("idle: 600", "idle: 1"))
    (tmp_path / "toy.py").write_text(Path(settings["VOXRELAY_CONFIG"]).with_name("toy.py").read_text())
    env = {**settings, **marked(tmp_path), "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}
    vox("stage", "content", male, "-o", tmp_path / "c.safetensors", env=env)
    assert gone(env, 20), ours(env["VOXRELAY_TEST_MARKER"])


def test_a_shared_redis_is_left_clean(
    settings: dict[str, str], male: Path, female: Path, tmp_path: Path, redis_server: str
) -> None:
    env = {**settings, "REDIS_URL": redis_server}
    done = vox_json("convert", male, "--voice", female, "-o", tmp_path / "out.wav", "--cold", env=env)
    client = redis.Redis.from_url(redis_server)
    for raw in client.scan_iter():
        key = raw.decode()
        if key.startswith(("vox:job:", "vox:jobs", "vox:turn", "vox:landed", "vox:room")):
            assert client.ttl(raw) > 0, key
        else:
            assert key.startswith("_kombu.binding"), key
    assert vox_json("job", "show", done["job"], env=env)["state"] == "collected"


def test_pools_join_a_shared_redis_from_elsewhere(
    settings: dict[str, str], male: Path, tmp_path: Path, redis_server: str
) -> None:
    env = {**settings, "REDIS_URL": redis_server}
    vox("up", "content", env=env)
    try:
        made = vox_json("stage", "content", male, "-o", tmp_path / "c.safetensors", env=env)
        assert made["type"] == "Content"
        changed = Path(settings["VOXRELAY_CONFIG"]).read_text().replace("context: 0.32", "context: 0.16")
        (tmp_path / "queues.yml").write_text(changed)
        (tmp_path / "toy.py").write_text(Path(settings["VOXRELAY_CONFIG"]).with_name("toy.py").read_text())
        other = {**env, "VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}
        done = vox("up", "mel", env=other, code=5)
        assert "the relay runs on" in done.stderr
        vox("down", env=other)
        refused = vox("stage", "content", male, "-o", tmp_path / "d.safetensors", env=other, code=4)
        assert "the relay runs on" in refused.stderr
    finally:
        vox("down", env=env)
    assert vox_json("ps", env=env)["workers"] == []


def test_a_redis_server_is_found() -> None:
    assert find_redis_server().is_file()
