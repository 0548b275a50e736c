"""Flower on the broker of a relay, in an environment of its own: it shows, and changes nothing.

Who may look is said by Flower's own variable, ``FLOWER_BASIC_AUTH=user:password``, or by a file that
``FLOWER_BASIC_AUTH_FILE`` names.
"""

import argparse
import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import Any

from celery.app.control import Control
from kombu.exceptions import OperationalError
from redis.exceptions import NoPermissionError

from voxrelay.relay import config as configuration
from voxrelay.relay.connect import client
from voxrelay.relay.errors import BadConfigError, Exit, UnavailableError, VoxError
from voxrelay.relay.queue import make_app

USER, USER_FILE = "FLOWER_BASIC_AUTH", "FLOWER_BASIC_AUTH_FILE"
COLUMNS = "name,args,kwargs,state,received,started,runtime,worker"


class Asking(Control):
    """Flower's questions to the workers; a user of Redis that may not ask, as ``monitor``, gets no answer."""

    def broadcast(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Celery's
        """Ask; see Celery."""
        try:
            return super().broadcast(*args, **kwargs)
        except (NoPermissionError, OperationalError) as error:
            if not isinstance(error.__cause__ or error, NoPermissionError):
                raise
            return None


def user(env: Mapping[str, str]) -> str:
    """Return who may look, as ``user:password``; empty if nobody was named.

    Raises:
        BadConfigError: the file cannot be read, or it is no user and password.

    """
    found, where = env.get(USER, ""), USER
    if path := env.get(USER_FILE):
        found, where = configuration.read_secret(path, USER_FILE), path
    name, _, password = found.partition(":")
    if found and not (name and password):
        raise BadConfigError("is not user:password", where=where)
    return found


def serve(address: str, port: int) -> None:
    """Answer on an address until interrupted.

    Raises:
        BadConfigError: others could reach it, and nobody was named who may look.
        UnavailableError: no Redis was named, or none answers.

    """
    if who := user(os.environ):
        os.environ[USER] = who  # Flower reads it there: a command line is seen by every user of the machine
    elif not _ours_alone(address):
        hint = f"{USER}=user:password, or {USER_FILE}=file; or stay on 127.0.0.1"
        raise BadConfigError("others could look, and nobody was named who may", where=f"address {address}", hint=hint)
    config = configuration.load()
    if not config.redis.shared:
        raise UnavailableError("no Redis was named", hint="set REDIS_URL")
    client(config.redis.broker or "").close()
    settings = {
        "address": address,
        "port": port,
        "read_only": True,  # who cancels a job or stops a pool by Celery's means goes behind the relay's back
        "enable_events": False,  # workers send them unasked
        "tasks_columns": COLUMNS,
        "conf": os.devnull,  # it would run a flowerconfig.py of whichever folder we are in
    }
    app = make_app(config)
    app.control = Asking(app=app)
    app.start(["flower", *(f"--{name}={value}" for name, value in settings.items())])


def _ours_alone(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def main() -> int:
    """Run; an explained failure is one line and an exit code."""
    parser = argparse.ArgumentParser(prog="voxrelay.monitoring.flower", description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5555)
    options = parser.parse_args()
    try:
        serve(options.address, options.port)
    except VoxError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
