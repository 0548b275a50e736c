"""queues.yml: what is refused names key, value and what is allowed; URLs come from the environment."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT, vox, vox_json
from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadConfigError
from voxrelay.relay.queue import broker_url


def load(tmp_path: Path, change: Any, **env: str) -> configuration.Config:
    data = yaml.safe_load((ROOT / "queues.yml").read_text())
    change(data)
    path = tmp_path / "queues.yml"
    path.write_text(yaml.safe_dump(data))
    return configuration.load({"VOXRELAY_CONFIG": str(path), **env})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["profiles"]["lite"].update(mel="nope"), ["profiles.lite.mel", "'nope'", "retrieval"]),
        (
            lambda d: d["stages"]["content"]["mfcc"].update(pool="nope"),
            ["stages.content.mfcc.pool", "'nope'", "content-fairseq"],
        ),
        (lambda d: d["window"].update(seconds=5.13), ["window", "5.13", "multiples of 0.02"]),
        (lambda d: d["window"].update(first=1.0), ["window", "first 1.0", "from four contexts"]),
        (lambda d: d["window"].update(first=6.0), ["window", "first 6.0", "length of the others"]),
        (lambda d: d["pools"]["mel"].update(workers=0), ["pools.mel.workers", "found 0", "greater than or equal to 1"]),
        (lambda d: d["pools"]["mel"].update(batch=257), ["pools.mel.batch", "found 257", "less than or equal to 256"]),
        (lambda d: d["pools"]["mel"].update(wait=-0.1), ["pools.mel.wait", "found -0.1", "greater than or equal to 0"]),
        (lambda d: d["pools"]["mel"].update(device="gpu"), ["pools.mel.device", "'gpu'", "auto|cpu|cuda"]),
        (lambda d: d["pools"]["mel"].update(precision="int8"), ["pools.mel.precision", "'int8'", "'bfloat16'"]),
        (lambda d: d["pools"]["mel"].update(wrokers=2), ["pools.mel.wrokers", "not permitted"]),
        (lambda d: d["redis"].update(broker="http://x"), ["redis.broker", "'http://x'", "redis|rediss|unix"]),
        (lambda d: d["redis"].update(broker="redis://x"), ["redis", "jobs, tensors"]),
        (lambda d: d.pop("profiles"), ["profiles", "required"]),
        (lambda d: d.update(profile="nope"), ["profile", "'nope'", "lite"]),
    ],
)
def test_a_mistake_is_explained(tmp_path: Path, change: Any, words: list[str]) -> None:
    with pytest.raises(BadConfigError) as error:
        load(tmp_path, change)
    for word in [*words, str(tmp_path)]:
        assert word in str(error.value)


@pytest.mark.parametrize(("seconds", "context", "first"), [(5.12, 0.32, 2.56), (1.0, 0.24, 0.96), (0.62, 0.1, 0.4)])
def test_the_first_window_is_half_as_long_unless_told(
    tmp_path: Path, seconds: float, context: float, first: float
) -> None:
    size = load(tmp_path, lambda d: d.update(window={"seconds": seconds, "context": context})).window
    wanted = round(first * 16_000)
    windows = size.cut(wanted + 3 * (size.samples - 2 * size.context_samples))
    assert [window.length for window in windows] == [wanted] + [size.samples] * 3
    assert size.cut(size.samples)[0].length == size.samples


def test_environment_variables_override_every_url(tmp_path: Path) -> None:
    nothing = lambda _data: None  # noqa: E731
    assert not load(tmp_path, nothing).redis.shared
    one = load(tmp_path, nothing, REDIS_URL="redis://a", VOXRELAY_TENSORS_URL="redis://b").redis
    assert (one.broker, one.jobs, one.tensors) == ("redis://a", "redis://a", "redis://b")


def test_passwords_are_not_printed() -> None:
    printed = vox_json("config", env={"REDIS_URL": "redis://user:secret@host:6379/1"})
    assert printed["redis"]["broker"] == "redis://user:***@host:6379/1"
    assert printed["stages"]["content"]["mfcc"]["pool"] == "content"


def test_a_machine_says_for_its_pools_what_is_its_own(tmp_path: Path) -> None:
    def own(data: Any) -> None:
        data["pools"]["mel"]["device"] = "cpu"

    config = load(tmp_path, own, VOXRELAY_DEVICE="auto", VOXRELAY_METRICS="9101")
    assert {(pool.device, pool.metrics) for pool in config.pools.values()} == {("auto", 9101)}
    assert config.contract == load(tmp_path, own).contract
    with pytest.raises(BadConfigError, match="found 'gpu'"):
        load(tmp_path, own, VOXRELAY_DEVICE="gpu")


def test_the_schema_is_printed() -> None:
    assert "pools" in vox_json("config", "--schema")["properties"]


def test_a_wrong_file_ends_with_the_code_for_configuration(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("pools: [")
    assert "not YAML" in vox("config", env={"VOXRELAY_CONFIG": str(tmp_path / "bad.yml")}, code=4).stderr


def test_the_contract_covers_what_both_sides_must_agree_on(tmp_path: Path) -> None:
    usual = load(tmp_path, lambda _data: None).contract
    assert load(tmp_path, lambda d: d["window"].update(context=0.16)).contract != usual
    assert load(tmp_path, lambda d: d["stages"]["mel"]["retrieval"].update(options={"neighbours": 3})).contract != usual
    assert load(tmp_path, lambda d: d["pools"]["mel"].update(workers=3)).contract == usual
    assert load(tmp_path, lambda d: d["window"].update(first=5.12)).contract == usual, "workers need not know"


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p@ss/word\n")
    env = {"VOXRELAY_REDIS_PASSWORD_FILE": str(secret), "REDIS_URL": "rediss://worker@host:6379/0?ssl_ca_certs=/ca"}
    found = configuration.load(env).redis
    assert found.broker == found.jobs == "rediss://worker:p%40ss%2Fword@host:6379/0?ssl_ca_certs=/ca"
    assert configuration.load({**env, "REDIS_URL": "unix://worker@/run/redis.sock"}).redis.jobs == (
        "unix://worker:p%40ss%2Fword@/run/redis.sock"
    )
    given = "redis://worker:own@host:6379/0"
    assert configuration.load({**env, "REDIS_URL": given}).redis.jobs == given
    for text, words in (("", "is empty"), (None, "cannot be read")):
        secret.unlink() if text is None else secret.write_text(text)
        with pytest.raises(BadConfigError, match=words):
            configuration.load(env)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("unix://worker:secret@/run/s.sock?db=1", "unix://worker:***@/run/s.sock?db=1"),
        ("no redis://a:sec@ret@host/0 and rediss://b:secret@host", "no redis://a:***@host/0 and rediss://b:***@host"),
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("redis://host:6379/0 and name@host", "redis://host:6379/0 and name@host"),
    ],
)
def test_passwords_are_hidden_wherever_they_stand(text: str, shown: str) -> None:
    assert configuration.mask(text) == shown


def test_a_wrong_url_does_not_show_its_password() -> None:
    with pytest.raises(BadConfigError, match=r"redi://worker:\*\*\*@host") as raised:
        configuration.load({"REDIS_URL": "redi://worker:secret@host"})
    assert "secret" not in str(raised.value)


def test_celery_is_given_the_user_and_asks_for_a_certificate() -> None:
    assert (
        broker_url("unix://worker:p%40s@/run/s.sock?db=3") == "redis+socket://worker:p%40s@/run/s.sock?virtual_host=3"
    )
    assert broker_url("rediss://host:1/0") == "rediss://host:1/0?ssl_cert_reqs=required"
    assert "ssl_cert_reqs=none" in broker_url("rediss://host:1/0?ssl_cert_reqs=none")
