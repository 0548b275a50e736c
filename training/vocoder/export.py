"""A run's generator as a file that :mod:`~voxrelay.workers.vocoder.hifigan` loads, with its model card.

The file is ``{'generator': state_dict}`` as PyTorch writes it: float16, no weight norm. Loading it
into the generator's float32 parameters is what ``hifigan.load`` does, with every name required.
"""

import json
from pathlib import Path

import torch

from voxrelay.training import checkpoint, config, held_back
from voxrelay.training.cache import Cache
from voxrelay.training.vocoder.card import card
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.training.vocoder.run import CONFIG, ORIGIN
from voxrelay.training.vocoder.validation import Validation
from voxrelay.workers.vocoder.generator import VARIANTS, Generator


def export(out: Path, cache: Cache, to: Path) -> None:
    """Write the moving average of a run's generator to ``to``, and its card beside it as ``.md``.

    The card's figures are measured on the float16 weights, over the same held-back speakers.

    Raises:
        UnavailableError: the folder holds no checkpoint.
        BadConfigError: the checkpoint or the configuration beside it is damaged.

    """
    settings = config.read(out / CONFIG, VocoderConfig)
    values = checkpoint.load(out / checkpoint.LAST)
    weights = {name: weight.half() for name, weight in values["average"].items()}
    to.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save({"generator": weights}, to)

    generator = Generator(VARIANTS[settings.variant])
    generator.load_state_dict(weights)
    validation = Validation(cache, held_back.speakers(cache.clips, settings.held_back), torch.device("cpu"))
    origin = json.loads((out / ORIGIN).read_text(encoding="utf-8")) if (out / ORIGIN).is_file() else None
    text = card(to, settings, int(values["step"]), origin, cache, validation.measure(generator.eval()))
    to.with_suffix(".md").write_text(text, encoding="utf-8")
