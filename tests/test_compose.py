"""docker-compose.yml names the pools of queues.yml, their locks, and nothing that stops --scale."""

import yaml

from conftest import ROOT
from voxrelay.fleet import environments
from voxrelay.relay import config as configuration


def test_every_pool_is_a_service_that_can_be_scaled() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    config = configuration.load({})
    assert set(config.pools) == set(services) - {"redis", "flower"}
    for name, pool in config.pools.items():
        service = services[name]
        lock = environments.find(pool.environment).lock
        assert service["build"]["args"] == {"POOL": name, "LOCK": str(lock.relative_to(ROOT).with_suffix(""))}
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert not {"container_name", "ports"} & set(service)
        assert "REDIS_URL" in service["environment"]


def test_only_this_machine_reaches_redis_and_flower() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("redis", "flower"):
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
