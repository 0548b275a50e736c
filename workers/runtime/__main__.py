"""``python -m voxrelay.workers.runtime POOL``: run one worker process, check that it could, or how others are."""

import argparse
import sys

from voxrelay.relay import config as configuration
from voxrelay.relay import health
from voxrelay.relay.config import Config
from voxrelay.relay.errors import Exit, VoxError
from voxrelay.workers.runtime import logs


def main() -> int:
    """Run; an explained failure is one line and an exit code."""
    parser = argparse.ArgumentParser(prog="voxrelay.workers.runtime", description=__doc__)
    parser.add_argument("pool", nargs="?", help="may be missing with --health and --live: every pool here")
    parser.add_argument("--check", action="store_true", help="load the models, run each once, and end")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input closes")
    parser.add_argument("--health", action="store_true", help="say whether a worker of this pool is ready here")
    parser.add_argument("--live", action="store_true", help="say whether the workers of this pool live here")
    options = parser.parse_args()
    asked = options.health or options.live
    if not (asked or options.pool):
        parser.error("which pool?")
    try:
        if asked:
            return _health(configuration.load(), options.pool, live=options.live)
        _run(options)
    except VoxError as error:
        logs.complain(error)
        return int(error.exit_code)
    return Exit.OK


def _run(options: argparse.Namespace) -> None:
    from voxrelay.workers.runtime import worker

    logs.set_up(options.pool)
    if options.end_with_stdin:
        worker.end_with_stdin()
    config = configuration.load()
    if options.check:
        worker.prepare(config, options.pool)
    else:
        worker.serve(config, options.pool)


def _health(config: Config, pool: str | None, *, live: bool) -> int:
    if pool:
        config.served_by(pool)
    wrong = health.troubles(health.found(), [pool] if pool else [], config.timeouts.stuck, live=live)
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return Exit.UNAVAILABLE if wrong else Exit.OK


if __name__ == "__main__":
    sys.exit(main())
