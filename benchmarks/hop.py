"""What it costs to hand one tensor to another process: by name beside the message, and inside the message.

A worker of one thread in a process of its own takes Celery messages as a pool does, and reads the tensor that one
names; all processes have the memory allocator set as pools have. What is named goes out with its message as a pool
sends it, an empty hop is such a message alone, and what is inside a message is sent by Celery. A hop lasts from the
tensor to an array that can be computed with; both clocks are this machine's.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
from bench import Report, Row, Size, main, ratio
from celery import Celery

from voxrelay.fleet import environments
from voxrelay.fleet.server import Server
from voxrelay.relay import chain
from voxrelay.relay import config as configuration
from voxrelay.relay.config import Config, Redis
from voxrelay.relay.connect import client
from voxrelay.relay.queue import make_app
from voxrelay.relay.tensors import Content

QUEUE, TASK, ARRIVED, KEY = "hop", "voxrelay.hop", "hop:arrived", "hop:tensor"
FRAMES, LITE, CONTENTVEC, LARGE = 256, 96, 768, 3072  # a window's; features; 1.5 MB in float16, as networks give it
NAMED, EMPTY, JSON, PICKLE = "named", "empty", "json", "pickle"
LIFETIME = 60


def application(config: Config) -> Celery:
    """Make voxrelay's Celery application, and the task that the worker answers to."""
    app = make_app(config)
    # Pickle only to be compared with, between two processes of this script; voxrelay accepts JSON alone.
    app.conf.update(accept_content=["json", "pickle"])
    store = client(config.redis.tensors or "")

    @app.task(name=TASK, ignore_result=True)
    def read(kind: str, given: object) -> None:
        if kind == NAMED:
            found = Content.from_bytes(store.get(given)).data
        elif kind == EMPTY:
            found = np.zeros(1)
        else:
            raw = given if isinstance(given, bytes) else base64.b64decode(str(given))
            found = np.frombuffer(raw, np.float16)
        arrived = time.perf_counter()
        store.rpush(ARRIVED, json.dumps([arrived, float(found.flat[0])]))

    return app


def message(kind: str, given: object) -> chain.Message:
    """Write the message that a pool sends when the task before has ended."""
    options = {"queue": QUEUE, "argsrepr": "", "kwargsrepr": "", "task_id": str(uuid.uuid4()), "reply_to": ""}
    task = {"task": TASK, "args": [], "kwargs": {"kind": kind, "given": given}, "options": options}
    found = chain.following(SimpleNamespace(chain=[task], root_id="", id=""))
    if found is None:
        raise RuntimeError("a chain of one task without a message")
    return found


def serve(config: Config) -> None:
    """Work as a pool does."""
    worker = application(config).Worker(
        pool="threads",
        concurrency=2,
        queues=[QUEUE],
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()


class Hops:
    """Sends tensors to the worker and tells how long each took, in seconds."""

    def __init__(self, config: Config) -> None:
        self.task = application(config).tasks[TASK]
        self.store = client(config.redis.tensors or "")

    def time(self, kind: str, tensor: Content) -> float:
        """Hand a tensor over."""
        self.store.delete(KEY)
        began = time.perf_counter()
        if kind in (NAMED, EMPTY):
            sending = self.store.pipeline(transaction=False)
            if kind == NAMED:
                sending.set(KEY, tensor.to_bytes(), nx=True, ex=LIFETIME)
            onward = message(kind, KEY)
            sending.lpush(onward.queue, onward.raw).execute()
        else:
            raw = tensor.data.tobytes()
            given = base64.b64encode(raw).decode() if kind == JSON else raw
            self.task.apply_async((kind, given), queue=QUEUE, serializer=kind)
        _, answer = self.store.blpop([ARRIVED])
        arrived, value = json.loads(answer)
        if kind != EMPTY and value != float(tensor.data.flat[0]):
            raise RuntimeError(f"{kind} brought something else")
        return float(arrived - began)

    def median(self, kind: str, tensor: Content, times: int) -> float:
        """Return the median of some hops."""
        return median(self.time(kind, tensor) for _ in range(times))


def plain(config: Config, blob: bytes) -> Callable[[], float]:
    """Time SET and GET of the same bytes by redis-py as it is."""
    import redis

    store = redis.Redis.from_url(config.redis.tensors or "")

    def once() -> float:
        store.delete(KEY)
        began = time.perf_counter()
        store.set(KEY, blob)
        store.get(KEY)
        return time.perf_counter() - began

    return once


@contextmanager
def worker() -> Iterator[Config]:
    """Start a redis-server and the worker."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = Server("hop", Path(folder))
        server.start()
        urls = Redis(broker=server.url, jobs=server.url, tensors=server.url)
        config = configuration.load().model_copy(update={"redis": urls})
        env = {**os.environ, "REDIS_URL": server.url, "C_FORCE_ROOT": "1"}
        process = subprocess.Popen([sys.executable, "-W", "ignore", __file__, "serve"], env=env)
        try:
            yield config
        finally:
            process.terminate()
            process.wait()
            server.stop()


def beside(name: str, features: int, hops: Hops, config: Config, size: Size, bound: float) -> Row:
    """A hop without Celery's own part, beside SET and GET."""
    tensor, times = content(features), size.of(150, 3)
    once = plain(config, tensor.to_bytes())
    over, under, empty = [], [], []
    for _ in range(size.rounds):
        both = [(hops.time(NAMED, tensor), hops.time(EMPTY, tensor), once()) for _ in range(times)]
        named, without, alone = (median(column) for column in zip(*both, strict=True))
        over.append(named - without)
        under.append(alone)
        empty.append(without)
    row = ratio(
        f"hop of a window's content ({name}, {tensor.data.nbytes / 1000:.0f} kB), minus an empty Celery hop",
        "SET and GET of the same bytes by plain redis-py", over=over, under=under, most=bound,
    )  # fmt: skip
    named, without, alone = (1000 * median(series) for series in (over, empty, under))
    told = f"{row.measured}; {named:.2f} of {alone:.2f} ms; an empty hop {without:.2f} ms"
    return Row(row.what, row.against, row.bound, told, row.held, {**row.figures, "empty": empty})


def against_messages(hops: Hops, size: Size) -> list[Row]:
    """A hop of 1.5 MB by name, beside the same inside the message."""
    tensor, times = content(LARGE), size.of(15, 2)
    found: dict[str, list[float]] = {NAMED: [], JSON: [], PICKLE: []}
    for _ in range(size.rounds):
        for kind, series in found.items():
            series.append(hops.median(kind, tensor, times))
    rows = []
    for kind, label in ((JSON, "base64 in JSON"), (PICKLE, "pickle")):
        row = ratio(
            f"the same tensor inside a Celery message ({label})", "hop of a 1.5 MB tensor by name",
            over=found[kind], under=found[NAMED], least=5,
        )  # fmt: skip
        told = f"{row.measured}; {1000 * median(found[kind]):.1f} to {1000 * median(found[NAMED]):.1f} ms"
        rows.append(Row(row.what, row.against, row.bound, told, row.held, row.figures))
    return rows


def content(features: int) -> Content:
    """Make a window's content."""
    return Content(np.random.default_rng(0).standard_normal((FRAMES, features)).astype(np.float16), model="random")


def measure(size: Size) -> Report:
    """Measure all."""
    with worker() as config:
        hops = Hops(config)
        for kind in (NAMED, JSON, PICKLE):
            hops.median(kind, content(LITE), 5)
        rows: Sequence[Row] = [
            beside("contentvec-lite", LITE, hops, config, size, 1.5),
            beside("contentvec", CONTENTVEC, hops, config, size, 1.5),
            *against_messages(hops, size),
        ]
    bias = (
        "against us by a hop's two processes where SET and GET have one with warm caches. For us, in the last two "
        "rows, by a message that Celery need not write. The first two rows are differences of two hops of "
        "milliseconds: on a busy machine their noise is larger than what they tell."
    )
    return Report(rows, bias)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve(configuration.load())
    else:
        own = environments.variables(environments.find("content"), 1)
        if any(os.environ.get(name) != value for name, value in own.items() if name.startswith("MALLOC")):
            os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **own})  # noqa: S606 - as pools are
        main(measure, __doc__ or "")
