"""Find a model by its name in ``queues.yml`` and load it."""

import importlib
import importlib.util
import inspect
import logging
from pathlib import Path
from types import ModuleType
from typing import Any

from voxrelay.relay import config as configuration
from voxrelay.relay.config import Config, Model, Stage
from voxrelay.relay.errors import BadConfigError, UnavailableError
from voxrelay.workers.runtime.placement import CPU, Placement

_PLACEMENT = "placement"

log = logging.getLogger("voxrelay")


def load_pool(config: Config, pool: str) -> dict[str, Any]:
    """Load the models of a pool; one whose weights are missing is left out with a warning.

    Raises:
        UnavailableError: none could be loaded.

    """
    stage, models = config.served_by(pool)
    loaded: dict[str, Any] = {}
    missing = []
    for name, model in models.items():
        try:
            loaded[name] = load_model(stage, name, model, Placement.of(config.pools[pool]))
        except UnavailableError as error:
            missing.append(f"{stage}.{name}: {error}")
            log.warning("not served: %s", missing[-1])
    if not loaded:
        raise UnavailableError("no model of this pool can be loaded", where=f"pool {pool}", hint="; ".join(missing))
    return loaded


def load_model(stage: Stage, name: str, model: Model, placement: Placement) -> Any:  # noqa: ANN401 - of the stage's protocol
    """Load one model with the options of its line, and where its pool computes if it asks for ``placement``.

    Raises:
        BadConfigError: there is no such file, or it has no ``load``, or not these options.
        UnavailableError: a file that the model needs is missing.

    """
    module = _from_file(stage, name, model.file) if model.file else _built_in(stage, model.kind or name)
    load = getattr(module, "load", None)
    where = f"stages.{stage}.{name}"
    if not callable(load):
        raise BadConfigError(f"{module.__file__} has no function load", where=where)
    allowed = [parameter for parameter in inspect.signature(load).parameters if parameter != _PLACEMENT]
    if unknown := sorted(set(model.options) - set(allowed)):
        raise BadConfigError(
            f"unknown options {', '.join(unknown)}", where=where, hint=f"allowed: {', '.join(allowed)}"
        )
    if _PLACEMENT in inspect.signature(load).parameters:
        return load(**model.options, placement=placement)
    if placement != CPU:
        log.warning("%s computes on the CPU in float32: it takes no other device or precision", where)
    return load(**model.options)


def _built_in(stage: Stage, name: str) -> ModuleType:
    """Import workers/STAGE/NAME.py."""
    module = f"voxrelay.workers.{stage}.{name.replace('-', '_')}"
    if importlib.util.find_spec(module) is None:
        hint = "name its `kind`, one that voxrelay ships, or its `file`"
        raise BadConfigError(f"there is no model {name!r}", where=f"stages.{stage}.{name}", hint=hint)
    return importlib.import_module(module)


def _from_file(stage: Stage, name: str, file: str) -> ModuleType:
    """Import the file that the operator named, relative to ``queues.yml``."""
    path = (configuration.config_file().parent / Path(file).expanduser()).resolve()
    spec = importlib.util.spec_from_file_location(f"voxrelay_model_{stage}_{name.replace('-', '_')}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadConfigError(f"{path} is not a Python file", where=f"stages.{stage}.{name}.file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
