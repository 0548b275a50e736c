"""``python -m voxrelay.workers.runtime POOL``: run one worker process, or check that it could."""

import argparse
import logging
import sys

from voxrelay.relay import config as configuration
from voxrelay.relay.errors import VoxError
from voxrelay.workers.runtime import worker


def main() -> int:
    """Run; an explained failure is one line and an exit code."""
    parser = argparse.ArgumentParser(prog="voxrelay.workers.runtime", description=__doc__)
    parser.add_argument("pool")
    parser.add_argument("--check", action="store_true", help="load the models, run each once, and end")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input closes")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    if options.end_with_stdin:
        worker.end_with_stdin()
    try:
        config = configuration.load()
        if options.check:
            worker.prepare(config, options.pool)
        else:
            worker.serve(config, options.pool)
    except VoxError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
