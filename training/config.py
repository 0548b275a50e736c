"""Hyper-parameters: YAML files, each held to the one dataclass that names them."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from voxrelay.relay.errors import BadConfigError

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> T:
    """Read a YAML file as ``kind``.

    Raises:
        BadConfigError: no such file, no YAML, an unknown key or a value that is not allowed.

    """
    try:
        return TypeAdapter(kind).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadConfigError("no such configuration", where=str(path), hint="training/ holds one a model") from error
    except yaml.YAMLError as error:
        raise BadConfigError(f"not YAML: {error}", where=str(path)) from error
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise BadConfigError("; ".join(mistakes), where=str(path)) from error


def plain(config: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the recipes' dataclasses
    """Return a configuration as plain values, as it is kept beside what it made."""
    values: dict[str, Any] = TypeAdapter(type(config)).dump_python(config, mode="json")
    return values
