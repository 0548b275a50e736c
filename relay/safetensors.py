"""Safetensors files: named arrays and a few facts in one run of bytes.

https://github.com/huggingface/safetensors: 8 bytes of header length, a JSON header, raw little-endian
data. Bytes are read without a copy, after the header was checked; nothing is ever unpickled.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER_LIMIT = 16_384
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "U8": np.dtype("u1")}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

# Headers repeat from window to window; this many are kept, in and out.
KEPT = 64

Arrays = dict[str, NDArray[Any]]
Facts = dict[str, str]


class _Entry(NamedTuple):
    """What a header says of an array, checked: where it lies in the data, and as what."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


def write(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, str]) -> bytes:
    """Serialise arrays of float32, float16 or uint8, in their order."""
    found = {name: np.ascontiguousarray(given) for name, given in arrays.items()}
    entries = tuple((name, _CODES[array.dtype], array.shape) for name, array in found.items())
    parts = (array.data.cast("B") for array in found.values())
    return b"".join((_header(entries, tuple(facts.items())), *parts))


@lru_cache(KEPT)
def _header(entries: tuple[tuple[str, str, tuple[int, ...]], ...], facts: tuple[tuple[str, str], ...]) -> bytes:
    """Write the header and its length."""
    header: dict[str, Any] = {"__metadata__": dict(facts)}
    end = 0
    for name, code, shape in entries:
        start, end = end, end + math.prod(shape) * _DTYPES[code].itemsize
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


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
    text = _text(view)
    entries, facts = _read(text, None if most is None else tuple(most))
    body = view[8 + len(text) :]
    end = entries[-1].stop if entries else 0
    if end != len(body):
        raise ValueError(f"{len(body)} bytes of data, {end} of them described")
    arrays = {
        name: np.frombuffer(body[start:stop], dtype=dtype).reshape(shape) for name, dtype, shape, start, stop in entries
    }
    return arrays, dict(facts)


def read_header(view: memoryview) -> dict[str, Any]:
    """Read the header, after its length was checked."""
    return _json(_text(view))


def _text(view: memoryview) -> bytes:
    """Cut the header out, after its length was checked."""
    size = int.from_bytes(view[:8], "little")
    if not 0 < size <= min(HEADER_LIMIT, len(view) - 8):
        raise ValueError(f"header of {size} bytes")
    return bytes(view[8 : 8 + size])


def _json(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except RecursionError as error:
        raise ValueError("header that is nested too deep") from error
    if not isinstance(header, dict):
        raise TypeError("header is not an object")
    return header


@lru_cache(KEPT)
def _read(text: bytes, most: tuple[int, ...] | None) -> tuple[tuple[_Entry, ...], Facts]:
    """Read a header: arrays that follow one another without a gap, and facts."""
    header = _json(text)
    facts = header.pop("__metadata__")
    entries, end = [], 0
    for name, given in header.items():
        start, stop = given["data_offsets"]
        if start != end or type(stop) is not int:
            raise ValueError(f"{name} from {start!r:.80} to {stop!r:.80}, after {end}")
        entries.append(_Entry(name, *_array(given, stop - start, most), start, stop))
        end = stop
    return tuple(entries), facts


def _array(given: dict[str, Any], size: int, most: tuple[int, ...] | None) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return dtype and shape of an array of so many bytes; the sizes must agree exactly."""
    shape, dtype = given["shape"], _DTYPES[given["dtype"]]
    if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape {shape!r:.80}")
    if most is not None and (len(shape) != len(most) or any(n > limit for n, limit in zip(shape, most, strict=True))):
        raise ValueError(f"shape {shape!r:.80}, at most {list(most)}")
    if math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"shape {shape!r:.80} of {dtype} in {size} bytes")
    return dtype, tuple(shape)
