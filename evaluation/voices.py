"""Speaker embeddings of many sounds, through the speaker pool."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from voxrelay.producer.producer import Producer
from voxrelay.relay.comparison import known
from voxrelay.relay.errors import BadInputError, StageError
from voxrelay.relay.tensors import Voice

_AT_ONCE = 4


def embed(producer: Producer, folder: Path, sounds: Sequence[Path], on_done: Callable[[], None]) -> dict[Path, str]:
    """Embed sounds and keep their voices in the evaluation's folder; what is there is not embedded again.

    Returns:
        Sounds that have no voice, and why: silence, for example.

    """

    def one(sound: Path) -> str:
        kept = known(folder, "voices", sound)
        try:
            if not kept.exists():
                kept.write_bytes(producer.embed(str(sound)).to_bytes())
        except (StageError, BadInputError) as error:
            return error.what
        finally:
            on_done()
        return ""

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        # The first alone: it starts the relay if there is none.
        reasons = [*map(one, sounds[:1]), *pool.map(one, sounds[1:])]
    finally:
        pool.shutdown(cancel_futures=True)
    return {sound: reason for sound, reason in zip(sounds, reasons, strict=True) if reason}


def nearest(folder: Path, sound: Path, others: Iterable[Path]) -> Path:
    """Return that of the others whose voice is nearest by cosine; all are embedded.

    Raises:
        BadInputError: there are no others.

    """
    voice = _read(folder, sound)
    if not (others := list(others)):
        raise BadInputError("the training recordings are all of one target", hint="name more of them, or none")
    return max(others, key=lambda other: float(np.dot(voice, _read(folder, other))))


def _read(folder: Path, sound: Path) -> np.ndarray:
    return Voice.from_bytes(known(folder, "voices", sound).read_bytes()).data
