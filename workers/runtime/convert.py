"""``python -m voxrelay.workers.runtime.convert CHECKPOINT OUT``: a vocoder's generator to safetensors.

The tensors keep their names, weight norm included. ``vox model pull`` calls it.
"""

import argparse
import sys
from pathlib import Path

from voxrelay.relay.errors import BadConfigError, VoxError
from voxrelay.workers.runtime.weights import load_torch, save_safetensors

_ENTRY = "generator"


def main(arguments: list[str] | None = None) -> int:
    """Run; an explained failure is one line and an exit code."""
    parser = argparse.ArgumentParser(prog="voxrelay.workers.runtime.convert", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="{'generator': state_dict}")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        convert(options.checkpoint, options.out)
    except VoxError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return 0


def convert(checkpoint: Path, out: Path) -> None:
    """Write a generator's tensors.

    Raises:
        BadConfigError: the checkpoint holds no generator, or more than tensors.

    """
    import torch

    state = load_torch(checkpoint).get(_ENTRY)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BadConfigError(f"no {_ENTRY!r} of tensors in this checkpoint", where=str(checkpoint))
    save_safetensors(out, state)


if __name__ == "__main__":
    sys.exit(main())
