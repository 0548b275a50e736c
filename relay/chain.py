"""The chain of a unit, speaker -> content -> mel -> vocoder, as Celery's messages.

Written in Celery's own format (protocol 2, which is documented for programs that are not Celery:
https://docs.celeryq.dev/en/stable/internals/protocol.html) in the envelope that kombu has for Redis, and held equal to
what Celery itself publishes by ``tests/test_chain.py``. So a client need not import Celery, and a worker hands the next
message to Redis together with what it is about, where Celery would send it by itself once the task has ended. Messages
hold names only; ``argsrepr`` and ``kwargsrepr`` are what a person reads in Flower.
"""

import base64
import json
import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxrelay.relay import keys
from voxrelay.relay.config import Stage
from voxrelay.relay.job import Link, Manifest, Part

_REPLY_TO = str(uuid.uuid4())  # of a process, as Celery has it; nobody answers
Signature = dict[str, Any]  # Celery's, of a task that is still to come


@dataclass(frozen=True)
class Message:
    """A task, and the queue that it goes to."""

    queue: str
    raw: bytes


def task_name(stage: Stage) -> str:
    """Return the Celery task of a stage."""
    return f"voxrelay.{stage}"


def first(manifest: Manifest, part: Part, index: int) -> Message:
    """Write the message that begins the chain of a window or reference."""
    names = {"job": manifest.id, "part": part, "index": index, "released": time.time()}
    task, *others = [_signature(link, names) for link in manifest.links(part)]
    return _message(task, others[::-1], root=task["options"]["task_id"], parent=None)


def following(request: Any) -> Message | None:  # noqa: ANN401 - Celery's context of a task
    """Take the message of the next task from Celery, which then publishes nothing; None if there is none."""
    if not request.chain:
        return None
    *rest, task = request.chain  # the next is at its end
    request.chain = None
    return _message(task, rest, root=request.root_id, parent=request.id)


def _signature(link: Link, names: dict[str, Any]) -> Signature:
    options = {
        "queue": keys.queue(link.stage, link.model),
        "argsrepr": f"{names['job']} {names['part']} {names['index']}",
        "kwargsrepr": f"{link.stage} {link.model}",
        "task_id": str(uuid.uuid4()),
        "reply_to": _REPLY_TO,
    }
    kwargs = {**names, "model": link.model}
    task = {"task": task_name(link.stage), "args": [], "kwargs": kwargs, "options": options}
    return {**task, "subtask_type": None, "immutable": True}


def _message(task: Signature, rest: Sequence[Signature], *, root: str, parent: str | None) -> Message:
    options = task["options"]
    name, queue = options["task_id"], options["queue"]
    headers = {
        "lang": "py",
        "task": task["task"],
        "id": name,
        "root_id": root,
        "parent_id": parent,
        "argsrepr": options["argsrepr"],
        "kwargsrepr": options["kwargsrepr"],
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        "ignore_result": False,
        "retries": 0,
        "timelimit": [None, None],
        "replaced_task_nesting": 0,
        "stamps": {},
        **dict.fromkeys(("shadow", "eta", "expires", "group", "group_index", "stamped_headers")),
    }
    properties = {
        "correlation_id": name,
        "reply_to": options["reply_to"],
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "delivery_tag": str(uuid.uuid4()),
        "priority": 0,
        "body_encoding": "base64",
    }
    after = {"callbacks": None, "errbacks": None, "chain": list(rest), "chord": None}
    message = {
        "body": base64.b64encode(json.dumps([[], task["kwargs"], after]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties,
    }
    return Message(queue, json.dumps(message).encode())
