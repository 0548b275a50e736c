"""Legacy checkpoints where fairseq is not installed; on its own ones: ``tests/test_parity.py``."""

import argparse
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import HubertConfig

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.content import legacy

MODULES = ("fairseq", "fairseq.data", MODULE := "fairseq.data.dictionary")


def checkpoint(**model: Any) -> dict[str, Any]:
    """Return what a checkpoint of HuBERT-base's size says, with one parameter."""
    convolutions = "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2"
    official = {"conv_feature_layers": convolutions, "final_dim": 256, "untie_final_proj": True, "encoder_layers": 12}
    return {
        "args": argparse.Namespace(fp16=True),
        "cfg": {"task": {"normalize": False, "sample_rate": 16_000}, "model": {**official, **model}},
        "task_state": {"dictionaries": [sys.modules[MODULE].Dictionary()]},
        "model": {"mask_emb": torch.ones(768), "label_embs_concat": torch.zeros(4, 256)},
    }


@pytest.fixture(autouse=True)
def _dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickle a class that fairseq has, and this environment does not."""
    assert importlib.util.find_spec("fairseq") is None
    for name in MODULES:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    dictionary = type("Dictionary", (), {"__module__": MODULE, "__init__": lambda self: setattr(self, "n", 7)})
    monkeypatch.setattr(sys.modules[MODULE], "Dictionary", dictionary, raising=False)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    def write_and_read(state: Any) -> Any:
        torch.save(state, tmp_path / "legacy.pt")
        for name in MODULES:
            monkeypatch.delitem(sys.modules, name)
        return legacy.read(tmp_path / "legacy.pt")

    return write_and_read


def test_the_official_configuration_is_hubert_bases(read: Callable[[Any], Any]) -> None:
    config, tensors = read(checkpoint())
    wanted = HubertConfig().to_dict()
    assert {name: config[name] for name in set(config) - {"architectures", "model_type"}} == {
        name: list(value) if isinstance(value := wanted[name], tuple) else value
        for name in set(config) - {"architectures", "model_type"}
    }
    assert list(tensors) == ["masked_spec_embed"]


@pytest.mark.parametrize(
    "change",
    [{"extractor_mode": "layer_norm"}, {"layer_norm_first": True}, {"activation_fn": "relu"}, {"conv_bias": True}],
)
def test_other_architectures_are_refused(read: Callable[[Any], Any], change: dict[str, Any]) -> None:
    with pytest.raises(BadConfigError, match=f"{next(iter(change))}.*allowed"):
        read(checkpoint(**change))


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_another_class_is_refused_and_not_executed(read: Callable[[Any], Any], tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    with pytest.raises(BadConfigError, match=r"it holds \w+\.system"):
        read({**checkpoint(), "extra_state": Command(f"touch {trace}")})
    assert not trace.exists()


def test_code_in_the_configuration_is_refused_and_not_executed(read: Callable[[Any], Any], tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    code = f"[(512,10,5)] + __import__('pathlib').Path({str(trace)!r}).touch()"
    with pytest.raises(BadConfigError, match="not a list of convolutions"):
        read(checkpoint(conv_feature_layers=code))
    assert not trace.exists()


@pytest.mark.parametrize("state", [{"generator": {}}, {"cfg": {}}, {"cfg": {"task": 1, "model": 2}, "model": {}}])
def test_no_checkpoint_at_all(read: Callable[[Any], Any], state: dict[str, Any]) -> None:
    with pytest.raises(BadConfigError, match="not a HuBERT checkpoint of fairseq"):
        read(state)
