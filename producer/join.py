"""Join converted windows: cut the context away, cross-fade the seams, write when complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from voxrelay.producer.recording import Samples
from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.relay.job import Span
from voxrelay.relay.tensors import Audio, Tensor

# Half of the fade around a seam, in samples at 22.05 kHz: 10 ms.
HALF_FADE = clock.SOUND_PER_HOP // 2
WRITABLE = {".wav": "PCM_16", ".flac": "PCM_16", ".aiff": "PCM_16", ".ogg": "VORBIS", ".mp3": "MPEG_LAYER_III"}


class Joiner:
    """Turns windows of sound, given in order, into one stream at 22.05 kHz."""

    def __init__(self, windows: list[Span]) -> None:
        self.windows = windows
        self._next = 0
        self._tail = np.zeros(0, dtype=np.float32)

    def add(self, sound: Samples) -> Samples:
        """Take the sound of the next window; return what is final of the stream."""
        span, first, last = self.windows[self._next], self._next == 0, self._next == len(self.windows) - 1
        self._next += 1
        origin = clock.sound_samples(span.start)
        begin = clock.sound_samples(span.keep_from) - origin - (0 if first else HALF_FADE)
        end = clock.sound_samples(span.keep_to) - origin + (0 if last else HALF_FADE)
        piece = sound[begin:end].copy()
        if not first:
            ramp = np.linspace(0, 1, 2 * HALF_FADE, dtype=np.float32)
            piece[: 2 * HALF_FADE] = piece[: 2 * HALF_FADE] * ramp + self._tail * (1 - ramp)
        if last:
            return piece
        self._tail = piece[-2 * HALF_FADE :]
        return piece[: -2 * HALF_FADE]


def check_writable(path: Path) -> None:
    """Refuse an output that could not be written, before anything is computed for it.

    Raises:
        BadInputError: the format is unknown or the folder is missing.

    """
    if path.suffix.lower() not in WRITABLE:
        raise BadInputError(f"cannot write {path.suffix or 'a file without a suffix'}", where=str(path),
                            hint=f"one of {', '.join(WRITABLE)}")  # fmt: skip
    if not path.parent.is_dir():
        raise BadInputError("there is no such folder", where=str(path.parent), hint="make it first")
    if not os.access(path.parent, os.W_OK):
        raise BadInputError("this folder cannot be written to", where=str(path.parent))


@contextmanager
def writing(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file that appears under its name only when it is complete."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    kind = path.suffix.lower()
    try:
        with soundfile.SoundFile(partial, "w", clock.SOUND_RATE, 1, WRITABLE[kind], format=kind[1:].upper()) as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_tensor(path: Path, tensor: Tensor) -> None:
    """Write what a stage made: sound as a sound file unless the suffix is .safetensors."""
    if isinstance(tensor, Audio) and path.suffix != ".safetensors":
        check_writable(path)
        with writing(path) as file:
            file.write(np.clip(tensor.data, -1, 1))
        return
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(tensor.to_bytes())
    partial.replace(path)
