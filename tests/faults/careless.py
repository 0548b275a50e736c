"""A worker as most are: a message is acknowledged before its work is done, and nobody reconciles.

It is run in the environment of a pool, in place of ``voxrelay.workers.runtime``, to show that what the other
tests ask for can fail.
"""

import sys
from typing import Any

from voxrelay.relay.config import Config
from voxrelay.workers.runtime import __main__ as runtime
from voxrelay.workers.runtime import housekeeper, worker

_make_app = worker.make_app


def make_app(config: Config) -> Any:
    """Make the application, with early acknowledgement."""
    app = _make_app(config)
    app.conf.update(task_acks_late=False, task_reject_on_worker_lost=False)
    return app


if __name__ == "__main__":
    setattr(worker, "make_app", make_app)  # noqa: B010 - a patch
    setattr(housekeeper.Housekeeper, "_leads", lambda _: False)  # noqa: B010
    sys.exit(runtime.main())
