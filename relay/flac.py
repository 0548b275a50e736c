"""Sound at rest: 16-bit FLAC that knows its own scale.

A recording is divided by its peak before it becomes 16 bit, so that a quiet one keeps its precision
and a loud one is not clipped; the peak stands in the file's comment. FLAC checks every frame by
itself (https://www.rfc-editor.org/rfc/rfc9639), so that damage is noticed when it is decoded.
"""

import io
import math

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio

FULL_SCALE = 32_767
LOUDEST = 2.0**31  # integers of 32 bit that were taken for floats; anything above is no recording
_MAGIC = b"fLaC"
_FASTEST = 0.0  # several stages decode it, and the last encodes: time counts for more than the last few bytes


def longest(samples: int) -> int:
    """Return how many bytes so much sound has at most: FLAC that saves nothing, and its header."""
    return 4 * samples + 65_536


def pack(samples: NDArray[np.float32], rate: int) -> bytes:
    """Compress mono sound, float32 [samples] at ``rate`` Hz; equal sound gives equal bytes.

    Raises:
        BadInputError: there are no samples, or some are not finite or beyond any scale.

    """
    peak = float(np.abs(samples).max(initial=0))
    if not len(samples) or not peak <= LOUDEST:
        raise BadInputError(f"{len(samples)} samples with a peak of {peak:g}", hint="this is no sound")
    scale = peak or 1.0
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, "PCM_16", format="FLAC", compression_level=_FASTEST) as file:
        file.comment = repr(scale)
        file.write(np.rint(samples / np.float32(scale) * np.float32(FULL_SCALE)).astype(np.int16))
    return buffer.getvalue()


def unpack(blob: bytes, longest: int) -> Audio:
    """Read what :func:`pack` wrote, as float32; at most ``longest`` samples are ever decoded.

    Raises:
        BadInputError: the bytes are damaged, not such a file, or hold more samples.

    """
    if not blob.startswith(_MAGIC):
        raise BadInputError("bytes that are not FLAC")
    try:
        with soundfile.SoundFile(io.BytesIO(blob)) as file:
            scale = _scale(file.comment)
            if file.channels != 1 or not 0 < file.frames <= longest:
                raise BadInputError(f"FLAC of {file.frames} samples in {file.channels} channels",
                                    hint=f"expected up to {longest} in one")  # fmt: skip
            samples = file.read(dtype="int16")
            if len(samples) != file.frames:
                raise BadInputError(f"FLAC that ends after {len(samples)} of {file.frames} samples")
            return Audio((samples * (scale / FULL_SCALE)).astype(np.float32), rate=file.samplerate)
    except soundfile.SoundFileError as error:
        raise BadInputError(f"damaged FLAC ({error})") from error


def _scale(comment: str) -> float:
    """Read the peak that the samples were divided by."""
    try:
        scale = float(comment)
    except ValueError:
        scale = math.nan
    if not 0 < scale <= LOUDEST:
        raise BadInputError(f"FLAC whose peak is {comment[:40]!r}", hint=f"expected a number up to {LOUDEST:g}")
    return scale
