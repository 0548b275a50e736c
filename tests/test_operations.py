"""A relay as its operator has it: scaled while it converts, watched by Prometheus, logging JSON, worker by worker."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from test_restart import changed

from voxrelay.relay import config as configuration
from voxrelay.relay.ledger import Ledger
from voxrelay.relay.overview import Load, Observer, Overview, Queue
from voxrelay.relay.queue import make_app

if TYPE_CHECKING:
    from voxrelay.relay.config import Stage

from conftest import ROOT, VOX, vox, vox_json
from flowers import free_port
from limits import scaling, toy
from limits.bench import Bench, relay
from prometheus import Prometheus, exporter, prometheus

POOLS = ("speaker", "content", "mel", "vocoder")
CONVERSIONS = 100
DASHBOARD = json.loads((ROOT / "monitoring" / "dashboard.json").read_text())
PAGE = ROOT / "docs" / "operations.md"
RULES = yaml.safe_load((ROOT / "monitoring" / "alerts.yml").read_text())


@dataclass(frozen=True)
class Watched:
    """A relay that has converted a folder while it was scaled, and the ports that answer Prometheus."""

    bench: Bench
    done: scaling.Scaled
    ports: dict[str, int]
    exporter: int
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    ports = {pool: free_port() for pool in POOLS}
    folder = tmp_path_factory.mktemp("watched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOXRELAY_LOG", "json")
        pools = {pool: {"metrics": port} for pool, port in ports.items()}
        changes = {"pools": pools, "stages": toy.stages(folder, 0.5)}
        with (
            relay(folder, changes, vocoder=toy.NAME, memory={"jobs": "100mb"}) as bench,
            exporter(bench.env) as port,
            prometheus(folder, [port, *ports.values()]) as asked,
        ):
            done = scaling.run(bench, 0, conversions=CONVERSIONS, seconds=1.0, first=1 / 6)
            yield Watched(bench, done, ports, port, asked)


def scrape(port: int) -> dict[str, list[tuple[str, float]]]:
    """Return the samples of an endpoint by name: labels and value."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    found: dict[str, list[tuple[str, float]]] = {}
    for name, labels, value in re.findall(r"^(\w+)(?:{(.*)})? (\S+)$", text, re.MULTILINE):
        found.setdefault(name, []).append((labels, float(value)))
    return found


def test_scaling_under_load_loses_and_repeats_nothing(watched: Watched) -> None:
    done = watched.done
    assert (done.lost, done.repeated) == (0, 0)
    before, two, after = done.processes
    assert [len(found["vocoder"]) for found in done.processes] == [1, 2, 1]
    assert before["vocoder"] == after["vocoder"] < two["vocoder"]
    assert [{pool: found[pool] for pool in POOLS[:3]} for found in (two, after)] == [
        {pool: before[pool] for pool in POOLS[:3]}
    ] * 2
    assert done.seen == [found["vocoder"] for found in done.processes]  # by Flower
    (new,) = two["vocoder"] - before["vocoder"]
    assert f"vocoder: process {new} is there" in done.told[0]
    assert f"vocoder: process {new} has left" in done.told[1]
    assert {process for _, process in done.filed} == two["vocoder"]  # the second one worked, too


def test_a_number_of_workers_is_asked_for_in_one_way(watched: Watched) -> None:
    env = watched.bench.env
    assert "like vocoder=2" in vox("scale", "vocoder", env=env, code=3).stderr
    assert "from 1 to" in vox("scale", "vocoder=0", env=env, code=3).stderr
    assert "no pool 'voice'" in vox("scale", "voice=2", env=env, code=4).stderr
    assert "vox up content-fairseq" in vox("scale", "content-fairseq=2", env=env, code=5).stderr


def test_every_line_of_a_log_is_an_object_and_names_its_job(watched: Watched) -> None:
    jobs = set(Ledger(watched.bench.jobs, watched.bench.config).recent(2 * CONVERSIONS))
    for pool in POOLS:
        paths = sorted((watched.bench.folder / "home" / "logs").glob(f"{pool}-*.log"))
        lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        assert {line["pool"] for line in lines} == {pool}
        done = [line for line in lines if line["message"] == "done" and line["part"] == "window"]
        assert {line["job"] for line in done} == jobs
        assert len(done) == CONVERSIONS
        assert all(line["worked"] > 0 or pool == "speaker" for line in done)
        assert not [line for line in lines if line["level"] == "error"]


def test_an_endpoint_counts_for_all_processes_of_its_pool(watched: Watched) -> None:
    for pool, port in watched.ports.items():
        found = scrape(port)
        windows = [value for labels, value in found["voxrelay_tasks_total"] if 'part="window"' in labels]
        assert sum(windows) == CONVERSIONS, pool
        assert sum(value for _, value in found["voxrelay_failures_total"]) == 0
    found = scrape(watched.ports["vocoder"])
    assert sum(value for _, value in found["voxrelay_speech_seconds_total"]) == pytest.approx(CONVERSIONS, rel=0.02)
    assert sum(value for _, value in found["voxrelay_batch_size_sum"]) == CONVERSIONS


def test_what_dashboard_and_alerts_ask_for_is_there(watched: Watched) -> None:
    found = scrape(watched.exporter)
    assert [value for _, value in found["voxrelay_up"]] == [1]
    assert dict(found["voxrelay_jobs"])['state="collected"'] == CONVERSIONS
    assert {labels for labels, _ in found["voxrelay_workers"]} == {f'pool="{pool}"' for pool in POOLS}
    there = set(found).union(*(scrape(port) for port in watched.ports.values()))
    asked = {name for query in [*queries(), *alerts()] for name in re.findall(r"\bvoxrelay_\w+", query)}
    assert len(asked) > 15
    assert asked <= there
    if promtool := shutil.which("promtool"):
        for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
            subprocess.run([promtool, "check", kind, ROOT / "monitoring" / name], check=True)


def test_every_alert_is_told_of() -> None:
    told = re.findall(r"^\| `(Voxrelay\w+)` \| [^|]+ \| [^|]+ \|$", PAGE.read_text(), re.MULTILINE)
    assert told == [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]


def test_prometheus_answers_what_dashboard_and_alerts_ask(watched: Watched) -> None:
    if not watched.prometheus.url:
        pytest.skip("needs a Prometheus on PATH; the names are held against a scrape above")
    busy, load = watched.done.moments[2], {}  # with two vocoders, before the second leaves
    for query in queries():
        load[query] = watched.prometheus.ask(query, busy)
        assert load[query], query
    for query in alerts():
        watched.prometheus.ask(query, busy)
    (rate,) = (query for query in load if "voxrelay_tasks_total" in query)
    assert {series["metric"]["pool"] for series in load[rate] if float(series["value"][1]) > 0} == set(POOLS)
    vocoders = [series["value"][1] for series in load["voxrelay_workers"] if series["metric"]["pool"] == "vocoder"]
    assert vocoders == ["2"]


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def alerts() -> list[str]:
    return [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]


def test_top_says_what_there_is(watched: Watched) -> None:
    found: dict[str, Any] = vox_json("top", env=watched.bench.env)
    assert {load["pool"]: load["workers"] for load in found["pools"]} == dict.fromkeys(POOLS, 1)
    assert (found["backlog"], found["flight"], found["jobs"]) == (0, 0, {"collected": CONVERSIONS})
    assert found["advice"] == "nothing waits"
    shown = vox("top", "--once", env=watched.bench.env).stdout
    for word in ("backlog 0 windows", f"{CONVERSIONS} collected", "vocoder", "busy"):
        assert word in shown


def look(busy: dict[str, float], backlog: int, depth: int = 0) -> Overview:
    """Return what a relay with such pools looks like; the queue is that of mel."""
    stages: dict[str, Stage] = {"content": "content", "mel": "mel", "vocoder": "vocoder"}
    loads = [
        Load(pool=pool, stage=stages[pool], workers=2, hosts=1, rate=1, busy=share, waiting=0)
        for pool, share in busy.items()
    ]
    queue = Queue(pool="mel", stage="mel", model="gr0", depth=depth, oldest=0)
    facts = {"flight": 0, "unacknowledged": 0, "dead": 0, "pace": 2.0}
    return Overview(time=0, queues=[queue], pools=loads, jobs={}, memory={}, backlog=backlog, **facts)


def test_advice_is_where_workers_are_missing() -> None:
    assert "add workers, vox scale vocoder=3" in look({"mel": 0.5, "vocoder": 0.95}, 10).advice()
    assert "no pool is short of workers" in look({"mel": 0.1, "vocoder": 0.3}, 10).advice()
    assert "vox up mel" in look({"vocoder": 0.0}, 10, depth=7).advice()
    assert look({"mel": 0.0}, 0).advice() == "nothing waits"
    assert look({"mel": 0.9}, 10).left == 5


def test_a_queue_is_as_deep_as_all_its_priorities(redis_server: str) -> None:
    config = configuration.load({"REDIS_URL": redis_server})
    app, moment = make_app(config), time.time()
    for priority, age in ((0, 5), (3, 60), (9, 20)):
        facts = {"job": "j", "part": "window", "index": 0, "released": moment - age, "model": "gr0"}
        app.signature("voxrelay.mel", kwargs=facts, queue="mel.gr0").apply_async(priority=priority)
    found = {queue.model: queue for queue in Observer(config).look().queues}
    assert found["gr0"].depth == 3
    assert found["gr0"].oldest == pytest.approx(60, abs=30)
    assert (found["retrieval"].depth, found["retrieval"].oldest) == (0, 0)


def test_a_worker_runs_anywhere_with_its_environment_alone(
    settings: dict[str, str], male: Path, tmp_path: Path, redis_server: str
) -> None:
    env = changed(settings, tmp_path)
    environments = tmp_path / "home" / "envs"
    whole = environments.resolve()
    environments.unlink()
    environments.mkdir()
    (environments / "content").symlink_to(whole / "content")
    assert "no Redis was named" in vox("worker", "run", "content", env=env, code=5).stderr
    command = [VOX, "worker", "run", "content", "--redis", redis_server]
    worker = subprocess.Popen(command, env={**os.environ, **env})
    relayed = {**env, "REDIS_URL": redis_server}
    while not (rows := vox_json("ps", env=relayed)["workers"]):
        assert worker.poll() is None
        time.sleep(0.5)  # a command takes the processor that the worker needs
    assert [(row["pool"], row["process"]) for row in rows] == [("content", worker.pid)]
    vox("stage", "content", male, "-o", tmp_path / "c.safetensors", env=relayed)
    worker.terminate()
    assert worker.wait(60) == 0
    assert vox_json("ps", env=relayed)["workers"] == []
    assert not (tmp_path / "home" / "metrics").exists()  # no port was named
