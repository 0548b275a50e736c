"""Run the tests of each pool's models inside the pool's own environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from voxrelay.fleet import environments
from voxrelay.relay import config as configuration

# pytest itself is lent to the environments, which hold only what their models need.
LENT = ("pytest", "_pytest", "pluggy", "iniconfig", "pygments", "packaging", "py.py")


# Flower's environment holds none of ours: test_flower.py runs it.
@pytest.mark.parametrize("name", sorted(set(environments.known()) - {"flower"}))
def test_models_of(name: str, tmp_path: Path) -> None:
    environment = environments.find(name)
    environments.ensure(configuration.load(), [name], lambda _line: None)
    site = Path(pytest.__file__).parents[1]
    for package in LENT:
        (tmp_path / package).symlink_to(site / package)
    env = {**environments.variables(environment, 1), "PYTHONPATH": str(tmp_path)}
    flags = ["-q", "-p", "no:cacheprovider", "--confcutdir", "tests/pools"]
    command = [str(environment.python), "-P", "-m", "pytest", *flags, f"tests/pools/{name}"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout[-4000:])
    assert done.returncode == 0, done.stdout + done.stderr
