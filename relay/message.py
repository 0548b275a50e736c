"""Celery's messages as we send them, and nothing else: what a worker reads of Redis is held against this first.

A message is refused before Celery, kombu or any serialiser sees it: its size, then JSON, then every field, those of
the chain that it goes on with included. So it names no task, queue, serialiser or compression of its own choice,
and cannot ask to wait, to expire, to call back or to be answered elsewhere.
"""

import base64
import binascii
import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voxrelay.relay import keys
from voxrelay.relay.chain import task_name
from voxrelay.relay.config import STAGES, Stage
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import JOB_ID, Part

LONGEST = 32_768  # bytes; a window's first message has about 3,000
CONTROL = "celery.pidbox"
REPLIES = "reply.celery.pidbox"
T = TypeVar("T", bound="_Exact")
_NOTED = ("message", "exchange", "queue")

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Word = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]
Text = Annotated[str, Field(max_length=1024)]
Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]  # seconds since the epoch


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Names(_Exact):
    """What a task is told: which unit of which job, by which model; ``released`` when."""

    job: Annotated[str, Field(pattern=JOB_ID.pattern)]
    part: Part
    index: Annotated[int, Field(ge=0, le=10_000_000)]
    released: Moment | Annotated[int, Field(ge=0)]
    model: Word


class _Options(_Exact):
    queue: str
    task_id: Id
    reply_to: Id
    argsrepr: Text = ""
    kwargsrepr: Text = ""


class Link(_Exact):
    """A task that follows, on its own queue."""

    task: str
    args: Annotated[list[Any], Field(max_length=0)]
    kwargs: Names
    options: _Options
    subtask_type: None
    immutable: Literal[True]


class _After(_Exact):
    callbacks: None
    errbacks: None
    chain: Annotated[list[Link], Field(max_length=len(STAGES) - 1)] | None
    chord: None


class _Headers(_Exact):
    lang: Literal["py"]
    task: str
    id: Id
    root_id: Id
    parent_id: Id | None
    shadow: None
    eta: None
    expires: None
    group: None
    group_index: None
    retries: Literal[0]
    timelimit: Annotated[list[None], Field(max_length=2)]
    argsrepr: Text
    kwargsrepr: Text
    origin: Text
    ignore_result: bool
    replaced_task_nesting: Literal[0]
    stamped_headers: None
    stamps: Annotated[dict[str, Any], Field(max_length=0)]
    redelivered: Literal[True] = True


class _Delivery(_Exact):
    exchange: str
    routing_key: str
    redelivered: Literal[True] = True


class _Properties(_Exact):
    delivery_info: _Delivery
    delivery_mode: Literal[1, 2]
    delivery_tag: Id
    priority: Annotated[int, Field(ge=0, le=9)]
    body_encoding: Literal["base64"]
    correlation_id: Id = ""
    reply_to: Id = ""
    argsrepr: Text = ""  # kombu keeps these here as well
    kwargsrepr: Text = ""


class _Envelope(_Exact):
    body: str
    content_encoding: Literal["utf-8"] = Field(alias="content-encoding")
    content_type: Literal["application/json"] = Field(alias="content-type")
    properties: _Properties


class _Task(_Envelope):
    headers: _Headers


class _Body(_Exact):
    args: Annotated[list[Any], Field(max_length=0)]
    kwargs: Names
    after: _After


class _Clock(_Exact):
    clock: Annotated[int, Field(ge=0, le=2**62)]
    expires: Moment | Literal[0]


class _Broadcast(_Envelope):
    headers: _Clock


class _Answer(_Exact):
    exchange: Literal["reply.celery.pidbox"]
    routing_key: Id


class Control(_Exact):
    """A control message: to look at workers, or to have them end when they have finished what they compute."""

    method: Literal[
        "ping", "stats", "active", "active_queues", "registered", "reserved", "scheduled", "revoked", "report",
        "query_task", "enable_events", "disable_events", "shutdown",
    ]  # fmt: skip
    arguments: Annotated[dict[str, Any], Field(max_length=4)]
    destination: Annotated[list[Text], Field(max_length=1000)] | None
    pattern: None
    matcher: None
    ticket: Id | None = None
    reply_to: _Answer | None = None

    @model_validator(mode="after")
    def _answered_to_whom_asked(self) -> "Control":
        if (self.ticket is None) != (self.reply_to is None):
            raise ValueError("ticket and reply_to belong together")
        return self


def check_task(raw: bytes, queue: str) -> None:
    """Hold the message that was found in a queue against what we send there.

    Raises:
        BadInputError: it differs; says in what.

    """
    found = _read(_Task, _json(raw))
    if found.properties.delivery_info.exchange or found.properties.delivery_info.routing_key != queue:
        raise BadInputError(f"addressed to {found.properties.delivery_info.routing_key!r:.80}, found in {queue}")
    parts = _body(found)
    if not isinstance(parts, list) or len(parts) != len(_Body.model_fields):
        raise BadInputError("body is not arguments, names and what follows")
    body = _read(_Body, dict(zip(_Body.model_fields, parts, strict=True)))
    _check_chain(found.headers.task, body, queue)


def check_control(raw: bytes) -> None:
    """Hold a control message against those that we allow.

    Raises:
        BadInputError: it is none of them; says in what it differs.

    """
    found = _read(_Broadcast, _json(raw))
    if found.properties.delivery_info.exchange != CONTROL:
        raise BadInputError(f"addressed to {found.properties.delivery_info.exchange!r:.80}")
    _read(Control, _body(found))


def check_unacknowledged(raw: bytes) -> None:
    """Hold what a worker noted of a message it took against what is noted of ours: the message, exchange and queue.

    Raises:
        BadInputError: it differs; says in what.

    """
    noted = _json(raw)
    if not isinstance(noted, list) or len(noted) != len(_NOTED) or not isinstance(noted[-1], str):
        raise BadInputError(f"not a list of {', '.join(_NOTED)}")
    check_task(json.dumps(noted[0]).encode(), noted[-1])


def _check_chain(task: str, body: _Body, queue: str) -> None:
    """Check that every task is ours, on the queue of its model, of the same unit, in the order of the stages."""
    rest = reversed(body.after.chain or [])  # Celery takes the next from its end
    steps = [(task, body.kwargs, queue), *((link.task, link.kwargs, link.options.queue) for link in rest)]
    stages: list[Stage] = []
    for name, names, where in steps:
        stage = next((stage for stage in STAGES if name == task_name(stage)), None)
        if stage is None or where != keys.queue(stage, names.model):
            raise BadInputError(f"task {name!r:.80} of model {names.model} for queue {where!r:.80}")
        if (names.job, names.part, names.index) != (body.kwargs.job, body.kwargs.part, body.kwargs.index):
            raise BadInputError(f"a chain that goes from one unit to another: {names.job} {names.part} {names.index}")
        stages.append(stage)
    if [stage for stage in STAGES if stage in stages] != stages:
        raise BadInputError(f"a chain that goes {' -> '.join(stages)}")


def _json(raw: bytes) -> Any:  # noqa: ANN401 - whatever it says
    """Read JSON as kombu would, and bear what it does not: JSON that is nested too deep."""
    if len(raw) > LONGEST:
        raise BadInputError(f"{len(raw)} bytes", hint=f"at most {LONGEST}")
    try:
        return json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"not JSON ({_short(error)})") from error


def _body(found: _Envelope) -> Any:  # noqa: ANN401 - whatever it says
    try:
        return _json(base64.b64decode(found.body, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadInputError(f"body is not base64 ({_short(error)})") from error


def _read(kind: type[T], found: object) -> T:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]).encode("unicode_escape").decode()  # keys are anybody's
        raise BadInputError(f"{where[:80] or 'message'}: {first['msg'][:200]}") from error


def _short(error: Exception) -> str:
    return str(error)[:80]
