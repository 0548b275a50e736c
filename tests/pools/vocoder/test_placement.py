"""Where a pool computes: device, precision and compilation reach the models, and what cannot be is told."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import second
import torch
import yaml
from second import PERIODIC, SMALL
from test_published import mel, write
from torch import nn

from voxrelay.relay import config as configuration
from voxrelay.relay.errors import BadConfigError, UnavailableError
from voxrelay.workers.runtime.loading import load_pool
from voxrelay.workers.runtime.placement import Placement
from voxrelay.workers.vocoder import bigvgan, hifigan

ROOT = Path(__file__).resolve().parents[3]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square of the difference, relative to the sound."""
    return float(np.sqrt(np.mean(np.square(one - other))) / one.std())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("config", [SMALL, PERIODIC], ids=["hifigan", "bigvgan"])
def test_a_lower_precision_sounds_nearly_the_same(config: dict[str, Any], precision: str, tmp_path: Path) -> None:
    path, sample = write(tmp_path, config, second.draw(config, loudness=3)), mel(40)
    load = bigvgan.load if config is PERIODIC else hifigan.load
    [full], [lower] = (load(path, placement=Placement("cpu", each)).vocode([sample]) for each in ("float32", precision))
    assert lower.data.dtype == np.float32
    assert 1e-5 < difference(full.data, lower.data) < 0.05


def test_a_pool_hands_its_line_to_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, sample = write(tmp_path, SMALL, second.draw(SMALL, loudness=3)), mel(40)
    data = yaml.safe_load((ROOT / "queues.yml").read_text())
    data["stages"]["vocoder"]["hifigan"]["options"] = {"weights": path}
    data["pools"]["vocoder"] |= {"precision": "bfloat16", "device": "auto"}
    (tmp_path / "queues.yml").write_text(yaml.safe_dump(data))
    monkeypatch.setenv("VOXRELAY_MODELS", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with caplog.at_level(logging.WARNING, "voxrelay"):
        models = load_pool(configuration.load({"VOXRELAY_CONFIG": str(tmp_path / "queues.yml")}), "vocoder")
    assert "griffin-lim computes on the CPU in float32" in caplog.text
    [full], [lower] = (model.vocode([sample]) for model in (hifigan.load(path), models["hifigan"]))
    assert 1e-5 < difference(full.data, lower.data) < 0.05


def test_a_device_that_is_not_there_is_told_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UnavailableError, match=r"no device 'cuda:2' .*there is cpu, cuda:0, cuda:1"):
        Placement("cuda:2").place(nn.Linear(1, 1))
    assert Placement("auto")._device() == torch.device("cuda:0")
    assert Placement("cuda:1")._device() == torch.device("cuda:1")


def test_a_failed_compilation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setattr(inductor.cpp, "cxx", (None, "/nonexistent"))
    monkeypatch.setattr(inductor, "force_disable_caches", True)
    with pytest.raises(BadConfigError, match=r"torch\.compile failed: .*compile: false"):
        Placement(compile=True).place(nn.Linear(2, 2))(torch.ones(1, 2))


def test_other_failures_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        Placement().place(nn.Linear(2, 2))(torch.ones(1, 3))
