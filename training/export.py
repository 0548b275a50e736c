"""A run's weights as a file that a pool loads, with its model card."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch

from voxrelay.training import checkpoint
from voxrelay.training.cache import Cache
from voxrelay.training.card import card
from voxrelay.training.run import ORIGIN, Recipe


@dataclass(frozen=True)
class Mix:
    """Exported weights that a run's are mixed with, by a share of 0 to 1.

    What is learnt late may cost what was known before; between the weights of both lies more of both than either has
    (Wortsman et al. 2022, arXiv 2109.01903), if the run began with these or with what they began with.
    """

    weights: Path
    share: float

    def __str__(self) -> str:
        """Say so in a card."""
        digest = hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return f", mixed with a share of {self.share:g} of {self.weights.name} (sha256 `{digest}`)"


def export(recipe: Recipe, out: Path, cache: Cache, to: Path, mix: Mix | None = None) -> None:
    """Write the moving average of a run's weights to ``to``, and its card beside it as ``.md``.

    The card's figures are measured on the weights as they are written, in float16.

    Raises:
        UnavailableError: the folder holds no checkpoint.
        BadConfigError: the checkpoint or what it is mixed with does not belong to this recipe.

    """
    recipe.state.from_dict(checkpoint.load(out / checkpoint.LAST))
    if mix:
        _mixed(recipe, mix)
    with torch.no_grad():
        for tensor in recipe.exported.state_dict().values():
            tensor.copy_(tensor.half())
    to.parent.mkdir(parents=True, exist_ok=True)
    recipe.write(to)
    origin = json.loads((out / ORIGIN).read_text(encoding="utf-8")) if (out / ORIGIN).is_file() else None
    to.with_suffix(".md").write_text(card(to, recipe, origin, cache, str(mix or "")), encoding="utf-8")


def _mixed(recipe: Recipe, mix: Mix) -> None:
    own = {name: tensor.clone() for name, tensor in recipe.state.average.state_dict().items()}
    recipe.start_from(mix.weights)
    with torch.no_grad():
        for name, tensor in recipe.state.average.state_dict().items():
            tensor.copy_(own[name].lerp(tensor, mix.share) if tensor.is_floating_point() else own[name])
