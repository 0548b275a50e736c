"""What strangers may send: messages, tensors and recordings that are wrong in every way that we could think of."""

import base64
import bz2
import copy
import gzip
import io
import json
import math
import pickle
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WRONG: list[Any] = [
    None, True, -1, 0, 1, 2**70, 1e308, math.nan, math.inf, [], {},
    "", "x", "x" * 50_000, "../../etc/passwd", "vox:jobs", "\x00",
    [[]] * 100, {"__reduce__": "os.system"}, {"__type__": "datetime", "__value__": "x"}, ["a"], {"a": {"b": {}}},
]  # fmt: skip
BOMB = b"\0" * 10_000_000
_PRESSED = {"application/x-gzip": zlib.compress(BOMB), "zlib": zlib.compress(BOMB), "bzip2": bz2.compress(BOMB)}
_OPTIONS: list[dict[str, Any]] = [
    {"serializer": "pickle"},
    {"queue": "vox:jobs"},
    {"exchange": "celery.pidbox"},
    {"compression": "gzip"},
    {"link": [{"task": "voxrelay.mel"}]},
    {"eta": "2999-01-01"},
    {"headers": {"a": 1}},
    {"task_id": "x"},
]
_TASKS = ["celery.backend_cleanup", "celery.chord_unlock", "os.system", "voxrelay.x"]
_SHAPES: list[Any] = [[2**40, 80], [10**400], [-1, 80], [1e400], ["441", 80], None, [], [80] * 40, {}]
_DTYPES = ["F64", "BF16", "I64", "O", None, 7, "F16", "U8"]
_OFFSETS: list[Any] = [[0, 2**50], [-4, 4], [0.0, 4.0], None, [0], ["0", "4"], [8, 4]]
_META = [{"type": "Content"}, {"wire": "0"}, {"facts": "["}, {"facts": "{}"}, {"facts": '{"spec": 1}'}]
_FACTS = ["[" * 5000, '{"data": 1}', "null", "NaN"]
_METHODS = ["pool_shrink", "add_consumer", "cancel_consumer", "rate_limit", "time_limit", "revoke", "pool_restart", "x"]


class Touch:
    """Unpickled, it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


def messages(good: bytes, marker: Path, seed: int) -> Iterator[bytes]:
    """Yield what is like a message and is none, for ever; ``marker`` appears if one is executed."""
    chance = random.Random(seed)  # noqa: S311 - the same ones each time
    ways = [_bytes, _field, _field, _field, _in_body, _in_body, _pickled, _pressed, _elsewhere]
    while True:
        yield chance.choice(ways)(good, marker, chance)


def _bytes(good: bytes, marker: Path, chance: random.Random) -> bytes:
    """Return bytes that are no message at all."""
    return chance.choice([
        lambda: chance.randbytes(chance.randrange(1, 4000)),
        lambda: good[: chance.randrange(1, len(good) - 1)],
        lambda: b"[" * chance.randrange(1, 30_000),
        lambda: b'{"a":' * 5000,
        lambda: good[:200] + b"\xff\xfe" + good[200:],
        lambda: good + b" " * 40_000,
        lambda: pickle.dumps(Touch(marker)),
        lambda: gzip.compress(good),
        lambda: b"null",
        lambda: b"-1e999",
        lambda: json.dumps([json.loads(good)] * 3).encode(),
    ])()  # fmt: skip


def _field(good: bytes, marker: Path, chance: random.Random) -> bytes:  # noqa: ARG001 - as its like
    """Return a message one of whose fields is another, is missing, or is one too many."""
    found = json.loads(good)
    places = [found, found["headers"], found["properties"], found["properties"]["delivery_info"]]
    _spoil(chance.choice(places), chance)
    return json.dumps(found).encode()


def _in_body(good: bytes, marker: Path, chance: random.Random) -> bytes:  # noqa: ARG001 - as its like
    """Return a message whose arguments or chain are others."""
    found = json.loads(good)
    args, names, after = json.loads(base64.b64decode(found["body"]))
    links = after.get("chain") or []
    if links and chance.random() < 0.3:
        chance.choice(links)["options"] |= chance.choice(_OPTIONS)
    else:
        options = [link[part] for link in links for part in ("options", "kwargs")]
        _spoil(chance.choice([names, after, *links, *options]), chance)
    found["body"] = _encoded(json.dumps([args, names, after]).encode())
    return json.dumps(found).encode()


def _pickled(good: bytes, marker: Path, chance: random.Random) -> bytes:
    """Return a message that asks for its body to be unpickled, or read as YAML."""
    found = json.loads(good)
    code = b"!!python/object/apply:os.system ['touch " + str(marker).encode() + b"']"
    found["content-type"], body = chance.choice([
        ("application/x-python-serialize", pickle.dumps(Touch(marker))),
        ("application/x-yaml", code),
        ("application/data", pickle.dumps(Touch(marker))),
        ("application/x-msgpack", b"\xdf\xff\xff\xff\xff"),
    ])  # fmt: skip
    found["content-encoding"] = chance.choice(["binary", "utf-8", "base64"])
    found["body"] = _encoded(body)
    return json.dumps(found).encode()


def _pressed(good: bytes, marker: Path, chance: random.Random) -> bytes:  # noqa: ARG001 - as its like
    """Return a message that is larger when it is decompressed."""
    found = json.loads(good)
    name, body = chance.choice(list(_PRESSED.items()))
    if chance.random() < 0.5:
        found["content-encoding"] = chance.choice(["gzip", "zlib", "zip"])
    found["headers"]["compression"] = name
    found["body"] = _encoded(body)
    return json.dumps(found).encode()


def _elsewhere(good: bytes, marker: Path, chance: random.Random) -> bytes:  # noqa: ARG001 - as its like
    """Return a message for another task, queue or time."""
    found = json.loads(good)
    headers, delivery = found["headers"], found["properties"]["delivery_info"]
    chance.choice([
        lambda: headers.update(task=chance.choice(_TASKS)),
        lambda: headers.update(eta="2999-01-01T00:00:00"),
        lambda: headers.update(expires="1999-01-01T00:00:00"),
        lambda: headers.update(timelimit=[1, 1]),
        lambda: headers.update(retries=3),
        lambda: headers.pop("task"),
        lambda: delivery.update(routing_key=chance.choice(["vox:jobs", "", "mel.none", "unacked"])),
        lambda: delivery.update(exchange=chance.choice(["celeryev", "celery.pidbox", "celery"])),
        lambda: found["properties"].update(body_encoding=chance.choice(["none", "", None, "hex"])),
    ])()  # fmt: skip
    return json.dumps(found).encode()


def _spoil(place: dict[str, Any], chance: random.Random) -> None:
    name = chance.choice(list(place)) if place else "a"
    way = chance.random()
    if way < 0.2:
        place.pop(name, None)
    elif way < 0.35:
        place[chance.choice(["callbacks", "compression", "x" * 300, "\n\x1b[31m", name + " "])] = chance.choice(WRONG)
    else:
        before = place.get(name)
        place[name] = copy.deepcopy(chance.choice([value for value in WRONG if value != before]))


def controls(seed: int) -> Iterator[bytes]:
    """Yield control messages that workers must not follow, for ever."""
    chance = random.Random(seed)  # noqa: S311 - the same ones each time
    while True:
        body: dict[str, Any] = {
            "method": "ping",
            "arguments": {},
            "destination": None,
            "pattern": None,
            "matcher": None,
        }
        body |= chance.choice([
            {"method": chance.choice(_METHODS)},
            {"arguments": chance.choice([None, [], "x", {str(n): n for n in range(100)}])},
            {"reply_to": {"exchange": "", "routing_key": "vox:jobs"}, "ticket": "x"},
            {"pattern": "(a+)+$", "matcher": "pcre"},
            {"destination": chance.choice(["x", 1, {}])},
            {"more": 1},
        ])  # fmt: skip
        found = {
            "body": _encoded(json.dumps(body).encode()),
            "content-encoding": "utf-8", "content-type": "application/json",
            "headers": {"clock": 1, "expires": 0},
            "properties": {
                "delivery_mode": 2, "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""}, "priority": 0,
                "body_encoding": "base64", "delivery_tag": "97ef9a67-f07d-4414-a90e-d884d7633c2b",
            },
        }  # fmt: skip
        raw = json.dumps(found).encode()
        yield chance.choice([raw, raw, raw[:50], b"[" * 9000, chance.randbytes(99), b"7", b'{"body":null}'])


def blobs(good: bytes, marker: Path, seed: int) -> Iterator[bytes]:
    """Yield what is like a tensor of float32 and is none, for ever."""
    chance = random.Random(seed)  # noqa: S311 - the same ones each time
    size = int.from_bytes(good[:8], "little")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data.pkl", BOMB[:5_000_000])

    def headed(**changes: Any) -> bytes:
        found = json.loads(good[8 : 8 + size])
        found["data"] |= {name: value for name, value in changes.items() if name != "meta"}
        found["__metadata__"] |= changes.get("meta", {})
        text = json.dumps(found).encode()
        return len(text).to_bytes(8, "little") + text + good[8 + size :]

    def numbered(value: bytes) -> bytes:
        place = 8 + size + 4 * chance.randrange((len(good) - 8 - size) // 4)
        return good[:place] + value + good[place + 4 :]

    while True:
        yield chance.choice([
            lambda: good[: chance.randrange(1, len(good) - 1)],
            lambda: chance.randbytes(chance.randrange(1, 4000)),
            lambda: good + b"\0" * chance.randrange(1, 100_000),
            lambda: (2 ** chance.randrange(20, 63)).to_bytes(8, "little") + good[8:],
            lambda: (9000).to_bytes(8, "little") + b"[" * 9000 + good,
            lambda: headed(shape=chance.choice(_SHAPES)),
            lambda: headed(dtype=chance.choice(_DTYPES)),
            lambda: headed(data_offsets=chance.choice(_OFFSETS)),
            lambda: headed(meta=chance.choice(_META)),
            lambda: headed(meta={"facts": chance.choice(_FACTS)}),
            lambda: numbered(chance.choice([b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff"])),
            lambda: pickle.dumps(Touch(marker)),
            lambda: gzip.compress(good),
            archive.getvalue,
        ])()  # fmt: skip


def mutated(good: bytes, chance: random.Random) -> bytes:
    """Return a file some of whose bytes are others, are missing, or come twice."""
    data = bytearray(good)
    for _ in range(chance.choice([1, 3, 10, 100])):
        place = chance.randrange(min(len(data), chance.choice([64, 512, len(data)])))
        way = chance.randrange(5)
        if way == 0:
            data[place] = chance.randrange(256)
        elif way == 1:
            data[place : place + 4] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"])
        elif way == 2:
            del data[place : place + chance.randrange(1, 200)]
        elif way == 3:
            data[place:place] = data[place : place + chance.randrange(1, 200)]
        else:
            del data[max(place, 16) :]
        data = data or bytearray(b"\0")
    return bytes(data)


def _encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()
