"""Safetensors files: named arrays and a few facts in one run of bytes.

https://github.com/huggingface/safetensors: 8 bytes of header length, a JSON header, raw little-endian
data. Bytes are read without a copy, after the header was checked; nothing is ever unpickled.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_LIMIT = 16_384
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "U8": np.dtype("u1")}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

Arrays = dict[str, NDArray[Any]]
Facts = dict[str, str]


def write(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, str]) -> bytes:
    """Serialise arrays of float32, float16 or uint8, in their order."""
    header: dict[str, Any] = {"__metadata__": dict(facts)}
    parts, end = [], 0
    for name, given in arrays.items():
        array = np.ascontiguousarray(given)
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _CODES[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
        parts.append(array.data.cast("B"))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, *parts))


def longest(most: Sequence[int]) -> int:
    """Return how many bytes a file of one array of such a shape has at most."""
    return 8 + HEADER_LIMIT + 4 * math.prod(most)


def read(blob: bytes | memoryview, most: Sequence[int] | None = None) -> tuple[Arrays, Facts]:
    """Read arrays, views of the bytes that cannot be written to, and facts.

    Args:
        blob: the file.
        most: largest shape of an array; its rank is the only one allowed.

    Raises:
        KeyError: the header lacks something, or names a dtype that is not one of ours.
        ValueError: the sizes do not agree exactly, or exceed ``most``; or the header is not JSON.
        TypeError: the header is something else than an object of objects.

    """
    view = memoryview(blob)
    header = read_header(view)
    facts = header.pop("__metadata__")
    body = view[8 + int.from_bytes(view[:8], "little") :]
    arrays, end = {}, 0
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        if start != end or not start <= stop <= len(body):
            raise ValueError(f"{name} from {start} to {stop} of {len(body)} bytes")
        arrays[name], end = _array(entry, body[start:stop], most), stop
    if end != len(body):
        raise ValueError(f"{len(body) - end} bytes that belong to nothing")
    return arrays, facts


def read_header(view: memoryview) -> dict[str, Any]:
    """Read the header, after its length was checked."""
    size = int.from_bytes(view[:8], "little")
    if not 0 < size <= min(HEADER_LIMIT, len(view) - 8):
        raise ValueError(f"header of {size} bytes")
    try:
        header = json.loads(bytes(view[8 : 8 + size]))
    except RecursionError as error:
        raise ValueError("header that is nested too deep") from error
    if not isinstance(header, dict):
        raise TypeError("header is not an object")
    return header


def _array(entry: dict[str, Any], body: memoryview, most: Sequence[int] | None) -> NDArray[Any]:
    """View ``body`` as the array its header entry declares; the sizes must agree exactly."""
    shape, dtype = entry["shape"], _DTYPES[entry["dtype"]]
    if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape {shape!r:.80}")
    if most is not None and (len(shape) != len(most) or any(n > limit for n, limit in zip(shape, most, strict=True))):
        raise ValueError(f"shape {shape!r:.80}, at most {list(most)}")
    if math.prod(shape) * dtype.itemsize != len(body):
        raise ValueError(f"shape {shape!r:.80} of {dtype} in {len(body)} bytes")
    return np.frombuffer(body, dtype=dtype).reshape(shape)
