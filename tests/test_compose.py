"""docker-compose.yml holds what queues.yml names, renders in every profile, and its images install."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

import documents
from conftest import ROOT, need
from flowers import free_port
from voxrelay.fleet import environments
from voxrelay.fleet.server import find_redis_server
from voxrelay.relay import config as configuration

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONFIG = configuration.load({})
SECRETS = sorted(set(re.findall(r"\$\{(\w+_PASSWORD):\?", TEXT)))
PROFILES = sorted({profile for service in SERVICES.values() for profile in service.get("profiles", [])})
BESIDE = {"redis", "flower", "exporter", "prometheus", "grafana"}
POOLS = {name: service for name, service in SERVICES.items() if name not in BESIDE}
DOCKERFILES = [ROOT / "Dockerfile", ROOT / "workers" / "Dockerfile", ROOT / "monitoring" / "Dockerfile"]
DEFAULT = {"redis", "flower", "speaker", "content", "mel", "vocoder"}


def profile_of(pool: str) -> list[str]:
    """Return the compose profile that a pool belongs to: none if our own weights and no weights are enough for it."""
    chains = [name for name in CONFIG.profiles if pool in CONFIG.chain_pools(name)]
    if {"lite", "plain"} & set(chains):
        return []
    return chains or list(CONFIG.served_by(pool)[1])


@pytest.mark.parametrize("name", CONFIG.pools)
def test_every_pool_is_a_service_that_can_be_scaled(name: str) -> None:
    service, environment = SERVICES[name], CONFIG.pools[name].environment
    args = service["build"]["args"]
    assert ROOT / "workers" / args["STAGE"] / f"{args['ENVIRONMENT']}.lock" == environments.find(environment).lock
    assert service["image"] == f"voxrelay-{environment}"
    assert service["command"] == [name]
    assert service.get("profiles", []) == profile_of(name)
    assert service["environment"]["REDIS_URL"].startswith("redis://worker:${WORKER_PASSWORD:?")
    assert not {"container_name", "ports", "hostname", "deploy"} & set(service)


def test_what_is_not_a_pool_is_one_on_a_gpu_or_beside_them() -> None:
    for name in POOLS.keys() - CONFIG.pools.keys():
        service, on_cpu = SERVICES[name], SERVICES[name.removesuffix("-gpu")]
        assert name.endswith("-gpu")
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        assert service["environment"] == on_cpu["environment"] | {"VOXRELAY_DEVICE": "auto"}
        assert service["build"]["args"] == on_cpu["build"]["args"] | {"TORCH": ""}
        assert service["image"] == f"{on_cpu['image']}-gpu"
        assert service["command"] == on_cpu["command"]
        assert service["profiles"] == ["-".join([*on_cpu.get("profiles", []), "gpu"])]
        assert not {"container_name", "ports", "hostname"} & set(service)


def test_containers_can_do_little() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for volume in service.get("volumes", []):
            assert volume.endswith(":ro") or volume.split(":")[0] in COMPOSE["volumes"], volume
        if "build" not in service:
            assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), name
    for path in DOCKERFILES:
        last = instructions(path)[max(n for n, (word, _) in enumerate(instructions(path)) if word == "FROM") :]
        assert dict(last)["USER"] == "vox", path


def test_no_secret_stands_in_the_file() -> None:
    roles = ("FLOWER", "GRAFANA", "MONITOR", "OPERATOR", "PRODUCER", "WORKER")
    assert [f"{role}_PASSWORD" for role in roles] == SECRETS
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|URL|AUTH", variable):
                assert re.search(r"\$\{\w+_PASSWORD:\?", value), f"{name}: {variable}"
    ignored = subprocess.run(["git", "check-ignore", ".env"], cwd=ROOT, capture_output=True, check=False)
    assert ignored.returncode in (0, 128), ".env would be committed"  # 128: not a repository


def test_a_file_of_passwords_is_made_as_operations_says(tmp_path: Path) -> None:
    need("openssl")
    told = [one.text for one in documents.commands(ROOT / "docs" / "operations.md")]
    lines = [*(text for text in told if text.startswith(("for who", ". ./.env"))), 'echo "$PRODUCER_PASSWORD"']
    assert len(lines) == 3
    env = {name: value for name, value in os.environ.items() if name not in SECRETS}
    said = subprocess.run(["sh", "-euc", "\n".join(lines)], cwd=tmp_path, env=env, check=True, stdout=subprocess.PIPE)
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert sorted(made) == SECRETS
    assert len(set(made.values())) == len(SECRETS)
    assert said.stdout.decode().strip() == made["PRODUCER_PASSWORD"]


def test_what_is_mounted_and_copied_is_there() -> None:
    for name, service in SERVICES.items():
        if "build" in service:
            path = ROOT / service["build"].get("dockerfile", "Dockerfile")
            for source in copied(path, service["build"].get("args", {})):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert in_context(source), f"{name}: .dockerignore keeps {source} out"
        for source in (volume.split(":")[0] for volume in service.get("volumes", [])):
            if source.startswith("./") and source != "./deploy":
                assert (ROOT / source).exists(), f"{name}: {source}"


def test_prometheus_asks_every_pool_and_the_exporter() -> None:
    pools, exporter = {}, {}
    for job in yaml.safe_load((ROOT / "monitoring" / "containers.yml").read_text())["scrape_configs"]:
        for found in job.get("dns_sd_configs", []):
            pools |= dict.fromkeys(found["names"], found["port"])
        exporter |= dict.fromkeys(target for one in job.get("static_configs", []) for target in one["targets"])
    assert pools == {name: int(service["environment"]["VOXRELAY_METRICS"]) for name, service in POOLS.items()}
    assert list(exporter) == [f"exporter:{SERVICES['exporter']['command'][-1]}"]
    folder = ROOT / "monitoring" / "grafana"
    (source,) = yaml.safe_load((folder / "datasources" / "voxrelay.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((folder / "dashboards" / "voxrelay.yml").read_text())["providers"]
    assert (
        f"./monitoring/dashboard.json:{provider['options']['path']}/voxrelay.json:ro" in SERVICES["grafana"]["volumes"]
    )
    if promtool := shutil.which("promtool"):
        subprocess.run([promtool, "check", "config", ROOT / "monitoring" / "containers.yml"], check=True)


@pytest.mark.parametrize("profiles", [[], *([name] for name in PROFILES), PROFILES], ids="+".join)
def test_it_renders_in_every_profile(profiles: list[str]) -> None:
    wanted = {
        name: service
        for name, service in SERVICES.items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }
    assert set(wanted) >= DEFAULT
    if not (compose := compose_command()):
        pytest.skip("needs docker compose, or Debian's docker-compose, to render the file")
    flags = [flag for profile in profiles for flag in ("--profile", profile)]
    without = {name: value for name, value in os.environ.items() if name not in SECRETS}
    env = {**without, **{name: f"{name}-of-a-test" for name in SECRETS}}
    rendered = yaml.safe_load(run([*compose, *flags, "config"], env))["services"]
    listed = run([*compose, *flags, "config", "--services"], env).split()
    assert set(wanted) <= set(listed)
    for name, service in wanted.items():
        assert name not in POOLS or rendered[name]["command"] == service["command"]
        assert "${" not in str(rendered[name]), name
    refused = subprocess.run([*compose, "config"], cwd=ROOT, env=without, capture_output=True, text=True, check=False)
    assert refused.returncode
    assert "choose one" in refused.stderr


def test_redis_takes_its_users_and_their_passwords(tmp_path: Path) -> None:
    (tmp_path / "redis.sh").write_text((ROOT / "deploy" / "redis.sh").read_text())
    roles = ("producer", "worker", "monitor", "operator")
    (tmp_path / "users.acl").write_text(
        "# who may\nuser default off\n" + "".join(f"user {role} on ~* &* +@all\n" for role in roles)
    )
    (tmp_path / "tmp").mkdir()
    env = {"PATH": f"{find_redis_server().parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp")}
    command = ["sh", tmp_path / "redis.sh", "--dir", tmp_path, "--port", port := str(free_port())]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "PRODUCER_PASSWORD is not set" in done.stderr
    env |= {f"{role.upper()}_PASSWORD": f"{role}-word" for role in roles}
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        monitor = redis.Redis(port=int(port), username="monitor", password="monitor-word")  # noqa: S106
        wait_for(monitor, server)
        for setting, value in (("maxmemory-policy", "noeviction"), ("appendonly", "yes")):
            assert monitor.config_get(setting) == {setting: value}
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=int(port)).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=int(port), username="worker", password="monitor-word").ping()  # noqa: S106
        assert "worker-word" not in (tmp_path / "users.acl").read_text()
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
@pytest.mark.parametrize("service", [name for name in SERVICES if "build" in SERVICES[name] and name[-4:] != "-gpu"])
def test_an_image_installs_and_starts(service: str, tmp_path: Path) -> None:
    """Do what its Dockerfile does, outside of a container: COPY, and every RUN but those of apt and useradd.

    Images for GPUs differ by the build of torch alone, which is several gigabytes.
    """
    build = SERVICES[service]["build"]
    path = ROOT / build.get("dockerfile", "Dockerfile")
    env = {**os.environ, **install(path, build.get("args", {}), tmp_path)}
    entry = dict(instructions(path))["ENTRYPOINT"]
    program = [part.replace("/env", str(tmp_path / "env")) for part in yaml.safe_load(entry)]
    subprocess.run([*program, "--help"], env=env, check=True, cwd="/", stdout=subprocess.DEVNULL)
    if service in POOLS:  # what the image holds is enough to import, load and run the models
        done = subprocess.run(
            [*program, service, "--check"], env=env, cwd="/", capture_output=True, text=True, check=False
        )
        needs_weights = bool(SERVICES[service].get("profiles"))
        assert done.returncode == (5 if needs_weights else 0), done.stderr
        assert not needs_weights or "weights" in done.stderr or ".safetensors" in done.stderr or ".pt" in done.stderr


def install(path: Path, args: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Run a Dockerfile's steps with ``folder`` for its root; return the variables of its image, of paths there."""
    (folder / "build").mkdir()
    variables, rooted = {"HOME": str(folder)}, re.compile(r"(?<![\w.])/(?=(env|build|tmp|models|etc/voxrelay)\b)")
    wheels = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    for word, rest in instructions(path):
        line = rooted.sub(f"{folder}/", rest)
        if word == "ARG" and rest.partition("=")[0] != "PYTHON":
            name, _, default = rest.partition("=")
            variables.setdefault(name, args.get(name, default))
            if name == "TORCH" and wheels:
                variables |= {"TORCH": "", "UV_FIND_LINKS": wheels}
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = expand(line, args).split()
            for source in sources:
                copy(ROOT / source, (folder / "build" / target) if not target.startswith("/") else Path(target))
        elif word == "RUN" and not rest.startswith(("apt-get", "useradd")):
            bin_ = folder / "tools" / "bin"
            if not bin_.exists():  # pip of the base image
                subprocess.run(["python3.11", "-m", "venv", bin_.parent], check=True)
            env = {**os.environ, **variables, "PATH": f"{bin_}:{os.environ['PATH']}"}
            subprocess.run(["sh", "-ec", line], cwd=folder / "build", env=env, check=True)
        elif word == "ENV":
            variables |= dict(pair.split("=", 1) for pair in line.split())
    return variables


def copy(source: Path, target: Path) -> None:
    if source == ROOT:
        for entry in ROOT.iterdir():
            if in_context(entry.name):
                copy(entry, target / entry.name)
    elif source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        into = target / source.name if target.is_dir() else target
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, into)


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return a Dockerfile's instructions and what follows each."""
    joined = path.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def copied(path: Path, args: Mapping[str, str]) -> Iterator[str]:
    """Return what a Dockerfile copies of the repository."""
    for word, rest in instructions(path):
        if word == "COPY" and not rest.startswith("--from"):
            yield from expand(rest, args).split()[:-1]


def expand(text: str, args: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: args[match[1]], text)


def in_context(source: str) -> bool:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    return source == "." or any(fnmatch(source, name) or source.startswith(f"{name}/") for name in allowed)


def compose_command() -> list[str]:
    """Return docker compose, of either age; empty where there is none."""
    if docker := shutil.which("docker"):
        probe = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
        if probe.returncode == 0:
            return [docker, "compose"]
    return [found] if (found := shutil.which("docker-compose")) else []


def run(command: list[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(server: redis.Redis, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            server.ping()
        except redis.AuthenticationError:  # a ConnectionError to redis-py
            raise
        except redis.ConnectionError:
            time.sleep(0.05)
            continue
        return
    raise ChildProcessError("redis.sh")
