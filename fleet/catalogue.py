"""The catalogue of published weights: ``models.yml``."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from voxrelay.relay import home
from voxrelay.relay.config import Stage
from voxrelay.relay.errors import BadConfigError, UnavailableError

File = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # a name, never a path
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Published(BaseModel):
    """One model's weights: where they are from and what becomes of them; see ``models.yml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Stage
    hub: str | None = None
    revision: str = "main"
    url: str | None = None
    page: str | None = None
    files: Annotated[dict[File, Sha256 | None], Field(min_length=1)]
    kind: Literal["contentvec", "generator", "checkpoint"]
    weights: File
    licence: str
    megabytes: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.hub, self.url, self.page)) != 1:
            raise ValueError("one of hub, url, page says where the files are from")
        return self

    @property
    def source(self) -> str:
        """Where a person finds the files."""
        return self.url or self.page or f"https://huggingface.co/{self.hub}"

    @property
    def main(self) -> str:
        """The file that holds the weights."""
        return next(iter(self.files))


_Catalogue = TypeAdapter(dict[str, Published])


def load() -> dict[str, Published]:
    """Read the catalogue in force.

    Raises:
        BadConfigError: it is missing, or does not fit the schema.

    """
    path = Path(os.environ.get("VOXRELAY_CATALOGUE") or home.PACKAGE / "fleet" / "models.yml").expanduser()
    try:
        return _Catalogue.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, ValidationError) as error:
        raise BadConfigError(str(error), where=str(path)) from error


def find(name: str) -> Published:
    """Return the model of that name.

    Raises:
        UnavailableError: the catalogue has none.

    """
    models = load()
    if name not in models:
        raise UnavailableError(f"no model {name!r} in the catalogue", hint=f"there are {', '.join(models)}")
    return models[name]
