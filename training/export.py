"""A run's weights as a file that a pool loads, with its model card."""

import json
from pathlib import Path

import torch

from voxrelay.training import checkpoint
from voxrelay.training.cache import Cache
from voxrelay.training.card import card
from voxrelay.training.run import ORIGIN, Recipe


def export(recipe: Recipe, out: Path, cache: Cache, to: Path) -> None:
    """Write the moving average of a run's weights to ``to``, and its card beside it as ``.md``.

    The card's figures are measured on the weights as they are written, in float16.

    Raises:
        UnavailableError: the folder holds no checkpoint.
        BadConfigError: the checkpoint does not belong to this recipe.

    """
    recipe.state.from_dict(checkpoint.load(out / checkpoint.LAST))
    with torch.no_grad():
        for tensor in recipe.exported.state_dict().values():
            tensor.copy_(tensor.half())
    to.parent.mkdir(parents=True, exist_ok=True)
    recipe.write(to)
    origin = json.loads((out / ORIGIN).read_text(encoding="utf-8")) if (out / ORIGIN).is_file() else None
    to.with_suffix(".md").write_text(card(to, recipe, origin, cache), encoding="utf-8")
