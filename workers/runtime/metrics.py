"""The Prometheus endpoint of a pool on this machine, if ``queues.yml`` names a port for it.

The processes of a pool count into files that they share, as prometheus_client's multiprocess mode does; one of
them, whichever has the port, answers for all, and another takes over when it ends.
"""

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from voxrelay.relay import clock, health, home
from voxrelay.relay.config import Config
from voxrelay.relay.work import Work
from voxrelay.workers.runtime.stage import Unit

_AGAIN_SECONDS = 2.0
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_FACTORS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LABELS = ("pool", "stage", "model")


class Metrics:
    """What a worker counts; nothing if its pool has no port."""

    def __init__(self, config: Config, pool: str) -> None:
        self.port = config.pools[pool].metrics
        self.pool, self.stage = pool, config.served_by(pool)[0]
        if self.port is None:
            return
        _share(_folder(pool), pool)
        # prometheus_client looks at its variable when it is imported.
        from prometheus_client import Counter, Histogram

        def counter(name: str, about: str) -> Any:  # noqa: ANN401 - imported above
            return Counter(f"voxrelay_{name}", about, _LABELS)

        def histogram(name: str, about: str, buckets: tuple[float, ...]) -> Any:  # noqa: ANN401 - as above
            return Histogram(f"voxrelay_{name}", about, _LABELS, buckets=buckets)

        self._tasks = Counter("voxrelay_tasks", "Units that a stage has ended on", [*_LABELS, "part"])
        self._failures = counter("failures", "Units that have failed, whether tried again or not")
        self._retries = counter("retries", "Units sent again: they had failed, or something was missing")
        self._refused = Counter("voxrelay_refused", "Messages that were not ours, and put aside", ["pool", "stage"])
        self._speech = counter("speech_seconds", "Seconds of speech that a stage has computed")
        self._worked = histogram("stage_seconds", "Seconds of computing a unit, its share of a batch", _SECONDS)
        self._waited = histogram("queue_wait_seconds", "Seconds from when a unit was ready until taken", _SECONDS)
        self._together = histogram("batch_size", "Units computed together with a unit, itself included", _SIZES)
        self._factor = histogram("real_time_factor", "Seconds of computing a second of speech", _FACTORS)

    def serve(self) -> None:
        """Answer on the pool's port from now on, or as soon as the process that does has ended."""
        if self.port is not None:
            threading.Thread(target=self._serve, args=(self.port,), daemon=True).start()

    def ended(self, unit: Unit, work: Work, together: int) -> None:
        """Count a unit that was done; ``together`` with how many, none if its output was there already."""
        if self.port is None:
            return
        labels, speech = self._labels(work.model), _seconds(unit)
        self._tasks.labels(*labels, work.part).inc()
        self._waited.labels(*labels).observe(max(work.times.taken - work.times.queued, 0.0))
        if not together:
            return
        worked = (work.times.ended - work.times.started) / together
        self._worked.labels(*labels).observe(worked)
        self._together.labels(*labels).observe(together)
        self._speech.labels(*labels).inc(speech)
        if speech:
            self._factor.labels(*labels).observe(worked / speech)

    def failed(self, model: str) -> None:
        """Count a failure."""
        if self.port is not None:
            self._failures.labels(*self._labels(model)).inc()

    def retried(self, model: str) -> None:
        """Count a unit that is sent again, because it failed or for what was missing."""
        if self.port is not None:
            self._retries.labels(*self._labels(model)).inc()

    def refused(self) -> None:
        """Count a message that the gate refused."""
        if self.port is not None:
            self._refused.labels(self.pool, self.stage).inc()

    def announce(self, models: list[str]) -> None:
        """Let every series be there from the start, so that rates see the first failure."""
        if self.port is None:
            return
        self._refused.labels(self.pool, self.stage)
        histograms = (self._worked, self._waited, self._together, self._factor)
        for model in models:
            for one in (self._failures, self._retries, self._speech, *histograms):
                one.labels(*self._labels(model))
            self._tasks.labels(*self._labels(model), "window")

    def _labels(self, model: str) -> tuple[str, str, str]:
        return self.pool, self.stage, model

    def _serve(self, port: int) -> None:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.multiprocess import MultiProcessCollector

        registry: Any = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        while True:
            try:
                start_http_server(port, registry=registry)
            except OSError:  # another process of this pool has it
                time.sleep(_AGAIN_SECONDS)
            else:
                return


def _folder(pool: str) -> Path:
    return home.home() / "metrics" / pool


def _share(folder: Path, pool: str) -> None:
    """Use the files of a pool; those of an earlier relay go."""
    if not any(worker.pool == pool and worker.process != os.getpid() for worker in health.found()):
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _seconds(unit: Unit) -> float:
    """Return how long the speech of a unit is."""
    if unit.part == "reference":
        return unit.manifest.references[unit.index].seconds
    return unit.manifest.windows[unit.index].length / clock.RATE
