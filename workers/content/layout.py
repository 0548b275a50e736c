"""ContentVec as transformers keeps it: parameters and a configuration.

Either a folder as on the hub (https://huggingface.co/lengyue233/content-vec-best: ``config.json`` beside
``model.safetensors`` or ``pytorch_model.bin``), or one safetensors file with that configuration in its header.
"""

import json
from pathlib import Path
from typing import Any

from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.runtime.weights import load_safetensors, load_torch, save_safetensors

CONFIG, WEIGHTS, PICKLE = "config.json", "model.safetensors", "pytorch_model.bin"


def read(path: Path, sha256: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Read configuration and parameters.

    Raises:
        BadConfigError: another hash, more than weights, or a file is missing or says nothing of the kind.

    """
    if not path.is_dir():
        tensors, facts = load_safetensors(path, sha256=sha256)
        return _config(facts.get("config", ""), path), tensors
    text = (path / CONFIG).read_text(encoding="utf-8") if (path / CONFIG).is_file() else ""
    if (path / WEIGHTS).is_file():
        return _config(text, path), load_safetensors(path / WEIGHTS, sha256=sha256)[0]
    if (path / PICKLE).is_file():
        return _config(text, path), load_torch(path / PICKLE, sha256=sha256)
    raise BadConfigError(f"neither {WEIGHTS} nor {PICKLE}", where=str(path))


def write(path: Path, config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Write one file if the name ends with ``.safetensors``, else a folder."""
    text = json.dumps(config, indent=1, sort_keys=True)
    if path.suffix == ".safetensors":
        save_safetensors(path, tensors, {"config": text})
        return
    path.mkdir()
    save_safetensors(path / WEIGHTS, tensors)
    (path / CONFIG).write_text(f"{text}\n", encoding="utf-8")


def _config(text: str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError:
        config = None
    if not isinstance(config, dict) or config.get("model_type") != "hubert":
        hint = f"a folder holds it in {CONFIG}, a file in its header"
        raise BadConfigError("no configuration of a HuBERT model", where=str(path), hint=hint)
    return config
