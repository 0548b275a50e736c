"""``python -m voxrelay.training MODEL``: train a model, or export what was trained; ``vox train`` calls it."""

import argparse
import logging
import math
import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import VoxError
from voxrelay.training import cache, config
from voxrelay.training.cache import Cache
from voxrelay.training.run import CONFIG, Recipe, Run

_RATES = {"content": clock.RATE, "mel": clock.RATE, "vocoder": clock.SOUND_RATE}
_DEFAULTS = {"content": "content.yml", "mel": "gr0.yml", "vocoder": "vocoder.yml"}


def main(arguments: list[str] | None = None) -> int:
    """Run; an explained failure is one line and an exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        options.verb(options)
    except VoxError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voxrelay.training", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    verb = verbs.add_parser("cache", help="decode recordings once; prints the cache folder")
    verb.add_argument("model", choices=_RATES, help="what it is to train")
    verb.add_argument("--data", type=Path, required=True, help="metadata.csv or folder")
    verb.add_argument("--most", type=float, default=math.inf, metavar="SECONDS", help="of each speaker")
    verb.set_defaults(verb=_cache)

    verb = verbs.add_parser("train", help="train a model")
    _add_run(verb)
    verb.add_argument("--config", type=Path, help="hyper-parameters (default: those beside the recipe)")
    verb.add_argument("--init", type=Path, help="weights to start from")
    verb.add_argument("--source", default="", help="who published them, under which licence: for the card")
    verb.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    verb.add_argument("--until", type=int, metavar="STEP", help="end there, before the phases do")
    verb.set_defaults(verb=_train)

    verb = verbs.add_parser("export", help="write a run's weights and its model card")
    _add_run(verb)
    verb.add_argument("--to", type=Path, required=True, metavar="FILE")
    verb.add_argument("--mix", type=Path, metavar="FILE", help="exported weights to mix the run's with")
    verb.add_argument("--share", type=float, default=0.5, help="of those (default: 0.5)")
    verb.set_defaults(verb=_export)
    return parser


def _add_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("model", choices=_RATES)
    verb.add_argument("--data", type=Path, required=True, help="metadata.csv, folder, or cache folder")
    verb.add_argument("--encoder", type=Path, help="mel: weights of contentvec-lite (default: those of queues.yml)")
    verb.add_argument("--content", help="mel: content model that it is trained on (default: contentvec-lite)")
    verb.add_argument("--acoustic", type=Path, help="vocoder: weights of a gr0 whose mels it learns to say as well")
    verb.add_argument("--python", type=Path, help="interpreter of the environment of that model")
    verb.add_argument("--out", type=Path, required=True, help="folder of the run")
    verb.add_argument("--threads", type=int, default=1, help="of torch on the CPU (default: 1)")


def _cache(options: argparse.Namespace) -> None:
    sys.stdout.write(f"{cache.prepare(options.data, options.most, _RATES[options.model]).folder}\n")


def _train(options: argparse.Namespace) -> None:
    default = Path(__file__).with_name(_DEFAULTS[options.model])
    recipe, _ = _recipe(options, options.config or default)
    run = Run(recipe, options.out)
    if options.resume:
        run.resume()
    else:
        run.start(options.init, options.source)

    def end(_number: int, _frame: FrameType | None) -> None:
        run.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    run.go(options.until)


def _export(options: argparse.Namespace) -> None:
    from voxrelay.training.export import Mix, export

    recipe, sound = _recipe(options, options.out / CONFIG)
    export(recipe, options.out, sound, options.to, Mix(options.mix, options.share) if options.mix else None)


def _recipe(options: argparse.Namespace, settings: Path) -> tuple[Recipe, Cache]:
    """Build the recipe of a model; each imports only what it needs."""
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sound = cache.prepare(options.data, rate=_RATES[options.model])
    if options.model == "content":
        from voxrelay.training.content.config import ContentConfig
        from voxrelay.training.content.recipe import ContentRecipe

        return ContentRecipe(config.read(settings, ContentConfig), sound, device), sound
    from voxrelay.training.mel import listening

    if options.model == "mel":
        from voxrelay.training.mel.config import MelConfig
        from voxrelay.training.mel.recipe import MelRecipe

        lite = options.encoder or listening.lite()
        listener = listening.Served(options.content, options.python) if options.content else None
        return MelRecipe(config.read(settings, MelConfig), sound, lite, device, listener), sound
    from voxrelay.training.vocoder.asked import Asked
    from voxrelay.training.vocoder.config import VocoderConfig
    from voxrelay.training.vocoder.recipe import VocoderRecipe

    course, asked = config.read(settings, VocoderConfig), None
    if options.acoustic:
        spoken = cache.prepare(options.data, rate=clock.RATE)
        asked = Asked(spoken, sound, options.acoustic, options.encoder or listening.lite(), course)
    return VocoderRecipe(course, sound, device, asked), sound


if __name__ == "__main__":
    sys.exit(main())
