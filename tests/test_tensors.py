"""The named tensors and their bytes."""

import json

import numpy as np
import pytest
import safetensors.numpy

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Content, Mel, Tensor, Voice, read_any

RANDOM = np.random.default_rng(0)
TENSORS = [
    Audio(RANDOM.standard_normal(320).astype(np.float32), rate=16_000),
    Voice(RANDOM.standard_normal(256).astype(np.float32), model="resemblyzer", seconds=6.0),
    Content(RANDOM.standard_normal((256, 768)).astype(np.float16), model="contentvec"),
    Mel(RANDOM.standard_normal((441, 80)).astype(np.float32)),
]


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda tensor: type(tensor).__name__)
def test_bytes_come_back_equal(tensor: Tensor) -> None:
    again = read_any(tensor.to_bytes())
    assert type(again) is type(tensor)
    assert again.data.dtype == tensor.data.dtype
    np.testing.assert_array_equal(again.data, tensor.data)
    assert {**vars(again), "data": 0} == {**vars(tensor), "data": 0}


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda tensor: type(tensor).__name__)
def test_the_reference_reader_reads_them(tensor: Tensor) -> None:
    np.testing.assert_array_equal(safetensors.numpy.load(tensor.to_bytes())["data"], tensor.data)


def test_reading_copies_nothing() -> None:
    blob = TENSORS[2].to_bytes()
    assert not Content.from_bytes(blob).data.flags.owndata
    assert not Content.from_bytes(blob).data.flags.writeable


def test_a_mel_carries_its_definition() -> None:
    assert Mel.from_bytes(TENSORS[3].to_bytes()).spec == "22050Hz-fft1024-hop256-win1024-80x0-8000Hz"


def header(blob: bytes, **changes: object) -> bytes:
    """Rewrite the header entry of a blob."""
    size = int.from_bytes(blob[:8], "little")
    found = json.loads(blob[8 : 8 + size])
    found["data"].update(changes)
    text = json.dumps(found).encode()
    return len(text).to_bytes(8, "little") + text + blob[8 + size :]


GOOD = TENSORS[0].to_bytes()


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x80\x04K\x01.",  # a pickle
        GOOD[:-1],
        GOOD[:20],
        (1 << 60).to_bytes(8, "little") + GOOD[8:],
        header(GOOD, shape=[10**12]),
        header(GOOD, shape=[-1]),
        header(GOOD, shape=[16, 20]),
        header(GOOD, dtype="I64"),
        header(GOOD, data_offsets=[0, 4]),
        TENSORS[3].to_bytes(),
    ],
)
def test_damaged_or_foreign_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(BadInputError):
        Audio.from_bytes(blob)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number_is_refused(kind: type[np.floating], value: float) -> None:
    data = np.zeros((20, 8), kind)
    data[[0, 19], [0, 7]] = np.finfo(kind).max, np.finfo(kind).min
    np.testing.assert_array_equal(Content.from_bytes(Content(data, model="any").to_bytes()).data, data)
    data[7, 3] = value
    with pytest.raises(BadInputError, match="no finite number"):
        Content.from_bytes(Content(data, model="any").to_bytes())


def test_another_dtype_is_refused() -> None:
    with pytest.raises(BadInputError, match="float64"):
        Audio(np.zeros(3), rate=16_000)
