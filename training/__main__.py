"""``python -m voxrelay.training MODEL``: train a model, or export what was trained."""

import argparse
import logging
import math
import signal
import sys
from pathlib import Path

import torch

from voxrelay.relay.errors import VoxError
from voxrelay.training import cache, config
from voxrelay.training.vocoder.config import VocoderConfig
from voxrelay.training.vocoder.export import export
from voxrelay.training.vocoder.run import Run


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
    verb.add_argument("--data", type=Path, required=True, help="metadata.csv or folder")
    verb.add_argument("--most", type=float, default=math.inf, metavar="SECONDS", help="of each speaker")
    verb.set_defaults(verb=_cache)

    verb = verbs.add_parser("vocoder", help="train a HiFi-GAN generator")
    verb.add_argument("--data", type=Path, required=True, help="metadata.csv, folder, or cache folder")
    verb.add_argument("--config", type=Path, default=Path(__file__).with_name("vocoder.yml"))
    verb.add_argument("--out", type=Path, required=True, help="folder of the run")
    verb.add_argument("--init", type=Path, help="generator to start from")
    verb.add_argument("--source", default="", help="who published that generator, under which licence: for the card")
    verb.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    verb.add_argument("--until", type=int, metavar="STEP", help="end there, before the phases do")
    verb.add_argument("--threads", type=int, default=1, help="of torch on the CPU (default: 1)")
    verb.set_defaults(verb=_vocoder)

    verb = verbs.add_parser("export", help="write a run's generator and its model card")
    verb.add_argument("--data", type=Path, required=True, help="what the run was trained on")
    verb.add_argument("--out", type=Path, required=True, help="folder of the run")
    verb.add_argument("--to", type=Path, required=True, metavar="FILE.pt")
    verb.set_defaults(verb=_export)
    return parser


def _cache(options: argparse.Namespace) -> None:
    sys.stdout.write(f"{cache.prepare(options.data, options.most).folder}\n")


def _vocoder(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    settings = config.read(options.config, VocoderConfig)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = Run(settings, cache.prepare(options.data), options.out, device)
    if options.resume:
        run.resume()
    else:
        run.start(options.init, options.source)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: run.end())
    run.go(options.until)


def _export(options: argparse.Namespace) -> None:
    export(options.out, cache.prepare(options.data), options.to)


if __name__ == "__main__":
    sys.exit(main())
