"""Environments of pools as they are built."""

import os
import subprocess
from pathlib import Path

from conftest import VOX


def test_two_who_need_an_environment_at_once_build_it_once(tmp_path: Path) -> None:
    env = {**os.environ, "VOXRELAY_HOME": str(tmp_path)}
    command = [VOX, "env", "build", "flower"]
    both = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [program.communicate()[1] for program in both]
    assert [program.returncode for program in both] == [0, 0], told
    assert sorted(text.count("environment flower: installing") for text in told) == [0, 1]
    assert (tmp_path / "envs" / "flower" / "bin" / "python").exists()
