"""The exporter of a relay: what Prometheus is told that no pool can know. It looks at Redis when it is asked."""

import threading
from collections.abc import Iterator

import redis
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from voxrelay.relay.config import Config
from voxrelay.relay.errors import UnavailableError
from voxrelay.relay.overview import Observer, Overview

STATES = ("running", "paused", "done", "collected", "failed", "cancelled")


class RelayCollector(Collector):
    """Says how the relay is at every scrape; with a Redis that does not answer, only that it does not."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        try:
            found = self.observer.look()
        except redis.RedisError:
            yield GaugeMetricFamily("voxrelay_up", "Whether Redis answers", value=0)
            return
        yield GaugeMetricFamily("voxrelay_up", "Whether Redis answers", value=1)
        yield from _numbers(found)
        yield from _families(found)


def _numbers(found: Overview) -> Iterator[Metric]:
    facts = (
        ("backlog_windows", "Windows of running jobs that are not done", found.backlog),
        ("in_flight", "Windows and references that are with queues and workers", found.flight),
        ("unacknowledged", "Messages that have been with workers for half a second and more", found.unacknowledged),
        ("dead_windows", "Windows and references that were given up", found.dead),
        ("windows_per_second", "Pace of the last windows", found.pace),
    )
    for name, about, value in facts:
        yield GaugeMetricFamily(f"voxrelay_{name}", about, value=value)


def _families(found: Overview) -> Iterator[Metric]:
    labels = ["pool", "stage", "model"]
    depth = GaugeMetricFamily("voxrelay_queue_depth", "Messages in a queue, over all priorities", labels=labels)
    oldest = GaugeMetricFamily(
        "voxrelay_oldest_window_seconds", "How long the oldest message of a queue has waited", labels=labels
    )
    for queue in found.queues:
        depth.add_metric([queue.pool, queue.stage, queue.model], queue.depth)
        oldest.add_metric([queue.pool, queue.stage, queue.model], queue.oldest)
    workers = GaugeMetricFamily("voxrelay_workers", "Worker processes that are there", labels=["pool"])
    busy = GaugeMetricFamily("voxrelay_busy_ratio", "Share of time that workers compute", labels=["pool"])
    for load in found.pools:
        workers.add_metric([load.pool], load.workers)
        busy.add_metric([load.pool], load.busy)
    jobs = GaugeMetricFamily("voxrelay_jobs", "Jobs that have a record", labels=["state"])
    for state in STATES:
        jobs.add_metric([state], found.jobs.get(state, 0))
    used = GaugeMetricFamily("voxrelay_redis_memory_bytes", "Memory that a Redis uses", labels=["store"])
    limit = GaugeMetricFamily("voxrelay_redis_memory_limit_bytes", "Its maxmemory, 0 if none", labels=["store"])
    for store, memory in found.memory.items():
        used.add_metric([store], memory.used)
        limit.add_metric([store], memory.limit)
    yield from (depth, oldest, workers, busy, jobs, used, limit)


def serve(config: Config, port: int) -> None:
    """Answer on a port until interrupted.

    Raises:
        UnavailableError: no Redis answers, or the port is taken.

    """
    registry = CollectorRegistry()
    registry.register(RelayCollector(Observer(config)))
    try:
        start_http_server(port, registry=registry)
    except OSError as error:
        raise UnavailableError(f"port {port} is not to be had: {error.strerror}") from error
    threading.Event().wait()
