"""``python -m voxrelay.workers.content.convert WEIGHTS OUT``: ContentVec to safetensors; ``vox model`` calls it.

WEIGHTS is an official legacy checkpoint of fairseq, or a folder as on the hub. Pickles are read with
``weights_only``, and what is written was built and run before.
"""

import argparse
import sys
from pathlib import Path

from voxrelay.relay.errors import VoxError
from voxrelay.workers.content import layout, legacy
from voxrelay.workers.content.contentvec import NAME, build
from voxrelay.workers.content.hubert import ContentVec, check_hop


def main(arguments: list[str] | None = None) -> int:
    """Run; an explained failure is one line and an exit code."""
    parser = argparse.ArgumentParser(prog="voxrelay.workers.content.convert", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path, help="a folder, or a file if the name ends with .safetensors")
    options = parser.parse_args(arguments)
    try:
        convert(options.weights, options.out)
    except VoxError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return 0


def convert(weights: Path, out: Path) -> None:
    """Read weights of either kind, see that they make content, and write them in the transformers layout.

    Raises:
        BadConfigError: they are no such weights, or more than weights.

    """
    config, tensors = (layout if weights.is_dir() else legacy).read(weights)
    check_hop(ContentVec(build(config, tensors, weights), NAME), weights)
    layout.write(out, config, tensors)


if __name__ == "__main__":
    sys.exit(main())
