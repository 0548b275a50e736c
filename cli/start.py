"""``vox`` from its first line. It is mostly a short process: Python need not look for garbage as often."""

import atexit
import gc

# Objects that are made between two looks: imports make hundreds of thousands, and all of them stay.
_SELDOM = 200_000


def main() -> None:
    """Run ``vox``."""
    gc.set_threshold(_SELDOM)
    atexit.register(gc.freeze)  # at its end Python looks several times, for what the system takes back anyway
    from voxrelay.cli.main import app

    app()
