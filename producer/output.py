"""What a result is written as: the formats, sound files that appear when they are complete, WAV for a pipe."""

import io
import os
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxrelay.producer.level import Samples
from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.tensors import Audio, Floats, Tensor

WRITABLE = {".wav": "PCM_16", ".flac": "PCM_16", ".aiff": "PCM_16", ".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}
BLOCK = 65_536  # frames that are converted at a time
FRAME = np.dtype("<i2")


class WavPipe:
    """Writes a WAV file, 16 bit at 22.05 kHz, to a binary stream that cannot seek.

    Args:
        stream: where to; it is flushed after every write.
        total: samples that the file will have, which its header says before the first of them.

    """

    def __init__(self, stream: BinaryIO, total: int) -> None:
        self._stream = stream
        self._send(_wav_header(total))

    def write(self, sound: Samples) -> None:
        """Write sound, float32 [samples] in -1..1."""
        self._send(to_frames(sound).tobytes())

    def _send(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()


def check_writable(path: Path) -> None:
    """Refuse an output that could not be written, before anything is computed for it.

    Raises:
        BadInputError: the format is unknown or the folder is missing.

    """
    check_suffix(path)
    if not path.parent.is_dir():
        raise BadInputError("there is no such folder", where=str(path.parent), hint="make it first")
    if not os.access(path.parent, os.W_OK):
        raise BadInputError("this folder cannot be written to", where=str(path.parent))


def check_suffix(path: Path) -> None:
    """Refuse an output whose format is unknown.

    Raises:
        BadInputError: the formats that are known are named.

    """
    if path.suffix.lower() not in WRITABLE:
        raise BadInputError(f"cannot write {path.suffix or 'a file without a suffix'}", where=str(path),
                            hint=f"one of {', '.join(WRITABLE)}")  # fmt: skip


def write_tensor(path: Path, tensor: Tensor) -> None:
    """Write what a stage made: sound as a sound file unless the suffix is .safetensors."""
    partial = beside(path, f"{os.getpid()}.partial")
    if isinstance(tensor, Audio) and path.suffix != ".safetensors":
        check_writable(path)
        starts = range(0, len(tensor.data), BLOCK)
        encode(path, partial, (to_frames(tensor.data[start : start + BLOCK]) for start in starts))
        return
    partial.write_bytes(tensor.to_bytes())
    partial.replace(path)


def settled(path: Path) -> Path:
    """Return the one path of an output, by whichever path it was named."""
    return path.parent.resolve() / path.name


def beside(path: Path, suffix: str) -> Path:
    """Name a hidden file that goes with an output."""
    return path.with_name(f".{path.name}.{suffix}")


def to_frames(sound: Floats) -> NDArray[np.int16]:
    """Convert sound to 16 bit as libsndfile does for WAV: full scale is 32,768, and it rounds down."""
    frames: NDArray[np.int16] = np.clip(np.floor(sound * np.float32(32_768)), -32_768, 32_767).astype(FRAME)
    return frames


def encode(path: Path, partial: Path, blocks: Iterable[NDArray[np.int16]]) -> None:
    """Write a sound file under another name, and give it its own when it is complete and on the disk."""
    kind = path.suffix.lower()
    try:
        with soundfile.SoundFile(partial, "w", clock.SOUND_RATE, 1, WRITABLE[kind], format=kind[1:].upper()) as file:
            for block in blocks:
                file.write(block)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _wav_header(total: int) -> bytes:
    """Return what a WAV file of ``total`` samples begins with."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(FRAME.itemsize)
        file.setframerate(clock.SOUND_RATE)
        file.setnframes(total)
        file.writeframesraw(b"")
        return buffer.getvalue()  # before closing it corrects the length to what was written
