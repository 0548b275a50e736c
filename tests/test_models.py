"""``vox model``: published weights, from a web server of the tests' own; nothing comes from elsewhere."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub import COMMIT, Hub
from safetensors import safe_open
from safetensors.numpy import load_file

from conftest import VOX, own_home, run_in, vox, vox_json
from voxrelay.fleet import catalogue, models
from voxrelay.fleet.download import Remote, fetch, sha256
from voxrelay.relay.errors import BadConfigError, UnavailableError

LARGE = 6_000_000  # floats: more than is written at once
MAKE = """
import os, sys, torch
from pathlib import Path
from transformers import HubertConfig
from voxrelay.workers.content.contentvec import Hubert

class Command:
    def __reduce__(self):
        return os.system, ("touch executed",)

folder, large = Path(sys.argv[1]), int(sys.argv[2])
torch.save({"generator": {"conv_pre.weight_v": torch.randn(large)}}, folder / "large.pt")
torch.save({"generator": {"conv_pre.weight_v": torch.randn(4)}}, folder / "small.pt")
torch.save({"generator": {"weight": torch.zeros(1)}, "more": Command()}, folder / "malicious.pt")
sizes = dict(conv_dim=[32] * 7, hidden_size=48, intermediate_size=96, num_attention_heads=4, classifier_proj_size=16)
config = HubertConfig(**sizes)
names = Hubert(config.to_dict()).state_dict().items()
torch.save({name.removeprefix("hubert."): value for name, value in names}, folder / "pytorch_model.bin")
(folder / "config.json").write_text(config.to_json_string())
"""
TOY = {
    "stage": "vocoder",
    "hub": "nobody/toy",
    "files": {"generator.pt": None, "config.json": None},
    "kind": "generator",
    "weights": "toy.safetensors",
    "licence": "MIT",
    "megabytes": 24,
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write what is published: a large generator and a small one, a malicious one, a ContentVec model."""
    folder = tmp_path_factory.mktemp("checkpoints")
    run_in("content-transformers", "-c", MAKE, str(folder), str(LARGE))
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    (tmp_path / "served").mkdir()
    with Hub(tmp_path / "served") as server:
        yield server


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that makes a home and a catalogue with one model, and returns the model folder."""
    variables = {**own_home(tmp_path), "VOXRELAY_MODELS": str(tmp_path / "models")}

    def write(**changes: Any) -> Path:
        entry = {name: value for name, value in {**TOY, **changes}.items() if value is not None}
        (tmp_path / "models.yml").write_text(yaml.safe_dump({"toy": entry}, sort_keys=False))
        return tmp_path / "models"

    for name, value in {**variables, "VOXRELAY_CATALOGUE": str(tmp_path / "models.yml")}.items():
        monkeypatch.setenv(name, value)
    return write


def publish(hub: Hub, checkpoint: Path) -> None:
    (hub.folder / "generator.pt").write_bytes(checkpoint.read_bytes())
    (hub.folder / "config.json").write_text('{"resblock": "1"}')


def pull(hub: Hub, **options: Any) -> Path:
    return models.pull("toy", lambda _line: None, lambda *_: None, mirror=hub.url, **options)


def recorded(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "home" / "models.lock"
    return json.loads(path.read_text()) if path.exists() else {}


def test_interrupted_resumed_recorded_and_verified(
    hub: Hub, checkpoints: Path, settle: Callable[..., Path], tmp_path: Path
) -> None:
    folder = settle()
    publish(hub, checkpoints / "large.pt")
    hub.stop_after = 22_000_000
    command = [str(VOX), "model", "pull", "toy", "--mirror", hub.url]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    originals = folder / "originals" / "toy"
    while not (parts := list(originals.glob("generator.pt.*.part"))) or not parts[0].stat().st_size:
        assert program.poll() is None
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    assert "interrupted" in program.communicate()[1]
    assert program.returncode == 130
    there = parts[0].stat().st_size
    assert 0 < there < 22_000_000
    assert vox("model", "list").stdout.split()[5] == "-"

    hub.stop_after = None
    assert vox_json("model", "pull", "toy", "--mirror", hub.url)["file"] == str(folder / "toy.safetensors")
    assert hub.asked[:3] == [("generator.pt", ""), ("generator.pt", f"bytes={there}-"), ("config.json", "")]
    assert load_file(folder / "toy.safetensors")["conv_pre.weight_v"].shape == (LARGE,)
    assert json.loads((folder / "toy.json").read_text()) == {"resblock": "1"}
    assert sorted(path.name for path in folder.rglob("*")) == ["originals", "toy.json", "toy.safetensors"]
    assert recorded(tmp_path)["toy"]["revision"] == COMMIT

    assert vox("model", "path", "toy").stdout.strip() == str(folder / "toy.safetensors")
    states = {row["file"]: row["state"] for row in vox_json("model", "verify")["files"]}
    assert states == {"toy.safetensors": "as recorded", "toy.json": "as recorded"}
    (folder / "toy.json").write_text("{}")
    assert "changed" in vox("model", "verify", "toy", code=1).stdout
    assert vox_json("model", "pull", "toy", "--offline")["file"]  # it is here already

    (folder / "toy.safetensors").unlink()
    publish(hub, checkpoints / "small.pt")
    with pytest.raises(BadConfigError, match=r"refused.*models\.lock"):
        pull(hub)
    assert not list(folder.rglob("generator.pt*"))


def test_a_connection_that_breaks_is_made_again(hub: Hub, checkpoints: Path, tmp_path: Path) -> None:
    publish(hub, checkpoints / "large.pt")
    hub.stop_after, hub.cut = 12_000_000, True
    seen: list[int] = []
    remote = Remote.on_hub("nobody/toy", "generator.pt", "main", hub.url)
    found = fetch(remote, tmp_path / "generator.pt.0.part", "toy", lambda _file, done, _total: seen.append(done))
    assert found == remote.sha256 == sha256(checkpoints / "large.pt")
    assert [name for name, _ in hub.asked] == ["generator.pt"] * 2
    assert int(hub.asked[1][1].removeprefix("bytes=").removesuffix("-")) > 1_000_000
    assert seen == sorted(seen)
    assert seen[-1] == remote.size


@pytest.mark.parametrize("source", ["hub", "url"])
def test_a_wrong_checksum_is_refused_and_removed(source: str, hub: Hub, settle: Callable[..., Path]) -> None:
    where = {"hub": "nobody/toy"} if source == "hub" else {"hub": None, "url": hub.url}
    folder = settle(**where, files={"generator.pt": "0" * 64, "config.json": None})
    (hub.folder / "generator.pt").write_bytes(b"something else")
    with pytest.raises(BadConfigError, match=f"wanted {'0' * 64}: refused.*damaged, or another file"):
        pull(hub)
    assert not list(folder.rglob("generator.pt*"))


def test_what_differs_from_what_the_hub_announced_is_refused_the_first_time(
    hub: Hub, settle: Callable[..., Path], tmp_path: Path
) -> None:
    folder = settle()
    (hub.folder / "generator.pt").write_bytes(b"something")
    hub.damage = True
    with pytest.raises(BadConfigError, match="refused"):
        pull(hub)
    assert not list(folder.rglob("generator.pt*"))
    assert recorded(tmp_path) == {}


def test_a_malicious_pickle_is_refused_removed_and_not_executed(
    hub: Hub, checkpoints: Path, settle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settle()
    publish(hub, checkpoints / "malicious.pt")
    monkeypatch.chdir(tmp_path)  # where it would leave its trace
    done = vox("model", "pull", "toy", "--mirror", hub.url, code=4)
    assert "it holds posix.system" in done.stderr
    assert not (tmp_path / "executed").exists()
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert recorded(tmp_path) == {}


def test_offline_says_what_is_missing_and_takes_what_was_put_there(
    hub: Hub, checkpoints: Path, settle: Callable[..., Path]
) -> None:
    folder = settle(hub=None, page="https://example.org/toy")
    for options in ((), ("--offline",)):
        done = vox("model", "pull", "toy", *options, code=5)
        for word in ("generator.pt, config.json", str(folder / "originals" / "toy"), "https://example.org/toy"):
            assert word in done.stderr
    publish(hub, checkpoints / "small.pt")
    for file in hub.folder.iterdir():
        file.rename(folder / "originals" / "toy" / file.name)
    pull(hub, offline=True)
    assert load_file(folder / "toy.safetensors")["conv_pre.weight_v"].shape == (4,)
    assert hub.asked == []


def test_the_catalogues_own_contentvec_comes_from_a_mirror(
    hub: Hub, checkpoints: Path, settle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settle()
    monkeypatch.delenv("VOXRELAY_CATALOGUE")
    for file in ("pytorch_model.bin", "config.json"):
        (hub.folder / file).write_bytes((checkpoints / file).read_bytes())
    found = vox_json("model", "pull", "contentvec", "--mirror", hub.url)["file"]
    assert found == str(folder / "contentvec.safetensors")
    with safe_open(found, framework="numpy") as file:
        assert json.loads(file.metadata()["config"])["hidden_size"] == 48
        assert file.get_tensor("final_proj.weight").shape == (16, 48)


def test_a_server_that_is_not_there_and_a_file_that_is_not_there(hub: Hub, settle: Callable[..., Path]) -> None:
    settle()
    with pytest.raises(UnavailableError, match=r"404.*goes on where"):
        pull(hub)
    done = vox("model", "pull", "toy", "--mirror", "http://127.0.0.1:1", code=5)
    assert "Traceback" not in done.stderr
    assert "127.0.0.1:1" in done.stderr


def test_the_shipped_catalogue_says_what_becomes_of_each_model() -> None:
    published = catalogue.load()
    assert {"contentvec", "contentvec-fairseq", "hifigan-universal", "bigvgan-base", "bigvgan-v2"} <= set(published)
    assert len({model.weights for model in published.values()}) == len(published)
    assert all(model.weights.endswith(".safetensors") for model in published.values() if model.kind != "checkpoint")
    with pytest.raises(UnavailableError, match="there are contentvec"):
        catalogue.find("nothing")


def test_a_catalogue_that_is_wrong_is_explained(settle: Callable[..., Path]) -> None:
    for changes, told in (({"url": "http://x"}, "one of hub, url, page"), ({"weights": "../x.pt"}, "weights")):
        settle(**changes)
        with pytest.raises(BadConfigError, match=told):
            catalogue.load()


def test_two_commands_do_not_pull_one_model_at_once(hub: Hub, settle: Callable[..., Path]) -> None:
    folder = settle()
    (folder / "originals" / "toy").mkdir(parents=True)
    with models._alone(folder / "originals" / "toy"), pytest.raises(UnavailableError, match="another command"):
        pull(hub)
