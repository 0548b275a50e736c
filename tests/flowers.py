"""A Flower of a test's own on a relay, as ``vox flower`` starts it, and what its API answers."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, Self

from conftest import VOX

USER = "ann:secret"


class Flower:
    """Flower beside a relay that ``env`` leads to; it answers ``user`` when it is entered."""

    def __init__(self, env: Mapping[str, str], user: str = USER) -> None:
        self.user, self.port = user, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [str(VOX), "flower", "--port", str(self.port)]
        self.env = {**os.environ, **env, "FLOWER_BASIC_AUTH": user}

    def get(self, path: str, user: str | None = None, body: bytes | None = None, **query: str | int) -> Any:
        """Ask the API, as ``user`` or as whom it knows; with a body it is a POST. Raises HTTPError if it refuses."""
        request = urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(query)}", body)  # noqa: S310 - ours
        token = base64.b64encode((self.user if user is None else user).encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def workers(self, pool: str) -> set[int]:
        """Return the processes of a pool that it sees alive."""
        alive: dict[str, bool] = self.get("/api/workers", status=1)
        names = [name.partition("@")[0].split(".") for name, there in alive.items() if there]
        return {int(process) for of, process in names if of == pool}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.command, env=self.env, stdout=subprocess.DEVNULL)
        while True:
            assert self.process.poll() is None
            try:
                urllib.request.urlopen(f"{self.url}/healthcheck", timeout=10).close()  # noqa: S310 - as above
            except OSError:
                time.sleep(0.2)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])
