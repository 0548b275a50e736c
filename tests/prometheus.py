"""A Prometheus of a test's own, where this machine has one, beside the exporter of a relay."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from conftest import ROOT, VOX
from flowers import free_port


@contextmanager
def exporter(env: Mapping[str, str]) -> Iterator[int]:
    """Run ``vox metrics`` on a port of its own, until it answers; afterwards hold it to its exit code."""
    port = free_port()
    process = subprocess.Popen([VOX, "metrics", "--port", str(port)], env={**os.environ, **env})
    try:
        _await(f"http://127.0.0.1:{port}/metrics", process)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 130


class Prometheus:
    """Answers queries; ``url`` is empty where there is none."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, moment: float) -> list[dict[str, Any]]:
        """Return the series that a query finds at a moment, each with ``metric`` and ``value``."""
        asked = urllib.parse.urlencode({"query": query, "time": moment})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=20) as answer:  # noqa: S310 - our own
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


@contextmanager
def prometheus(folder: Path, ports: Sequence[int]) -> Iterator[Prometheus]:
    """Have it ask some ports every second, under our alert rules."""
    program = shutil.which("prometheus")
    if program is None:
        yield Prometheus("")
        return
    port = free_port()
    targets = [{"targets": [f"127.0.0.1:{one}" for one in ports]}]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "monitoring" / "alerts.yml")],
        "scrape_configs": [{"job_name": "voxrelay", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"]
    process = subprocess.Popen(
        [program, *flags, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stderr=subprocess.DEVNULL
    )
    try:
        _await(f"http://127.0.0.1:{port}/-/ready", process)
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=10).close()  # noqa: S310 - our own
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise ChildProcessError(process.args)
