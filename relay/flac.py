"""Sound at rest: 16-bit FLAC, which halves what Redis keeps and any player plays.

Samples are scaled to their peak, so that quiet recordings keep their precision and loud ones are not
clipped; the file's comment holds the factor that undoes it.
"""

import io
import math

import numpy as np
import soundfile

from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Floats

_MARK = "voxrelay scale "
_LARGEST = 1e6
_FULL = 32_767


def pack(samples: Floats, rate: int) -> bytes:
    """Write mono sound, float [samples] at ``rate`` Hz, as a FLAC file; the same samples give the same bytes."""
    peak = float(np.abs(samples).max(initial=0.0)) or 1.0
    pcm = np.rint(samples * (_FULL / peak)).astype(np.int16)
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, "PCM_16", format="FLAC") as file:
        file.comment = f"{_MARK}{peak * (_FULL + 1) / _FULL!r}"
        file.write(pcm)
    return buffer.getvalue()


def unpack(blob: bytes, longest: int) -> Audio:
    """Read what :func:`pack` wrote: float32 [samples].

    Raises:
        BadInputError: the bytes are something else, damaged, or longer than ``longest`` samples.

    """
    try:
        with soundfile.SoundFile(io.BytesIO(blob)) as file:
            scale = float(file.comment.removeprefix(_MARK))
            if file.format != "FLAC" or file.channels != 1 or not 0 <= file.frames <= longest:
                raise ValueError(f"{file.format} of {file.channels} channels and {file.frames} samples")
            if not file.comment.startswith(_MARK) or not 0 < scale < _LARGEST or not math.isfinite(scale):
                raise ValueError(f"comment {file.comment[:40]!r}")
            samples = file.read(dtype="float32")
            if len(samples) != file.frames:
                raise ValueError(f"{len(samples)} of {file.frames} samples")
            return Audio(samples * np.float32(scale), rate=file.samplerate)
    except (soundfile.SoundFileError, ValueError) as error:
        raise BadInputError(f"bytes that are not sound at rest ({error})") from error
