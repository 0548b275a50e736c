"""``python -m voxrelay.workers.content.listen MODEL``: content of recordings by a model of ``queues.yml``.

Training runs it in the environment of that model's pool. It reads :class:`~voxrelay.relay.tensors.Audio` from its
standard input and answers each with :class:`~voxrelay.relay.tensors.Content`, until the input ends. Either is its
length, eight bytes, little-endian, and then its own bytes.
"""

import argparse
import os
import signal
import sys
from typing import IO

import numpy as np

from voxrelay.relay import clock
from voxrelay.relay import config as configuration
from voxrelay.relay.config import Config
from voxrelay.relay.errors import VoxError
from voxrelay.relay.tensors import Audio, Content
from voxrelay.workers.content.stage import STAGE, Heard
from voxrelay.workers.runtime.loading import load_model
from voxrelay.workers.runtime.model import ContentModel, SurveyingContentModel
from voxrelay.workers.runtime.placement import Placement

_LENGTH = 8  # bytes


def read(stream: IO[bytes]) -> bytes:
    """Read one tensor's bytes; empty: the stream has ended."""
    return stream.read(int.from_bytes(stream.read(_LENGTH), "little"))


def write(stream: IO[bytes], blob: bytes) -> None:
    """Write one tensor's bytes, at once."""
    stream.write(len(blob).to_bytes(_LENGTH, "little") + blob)
    stream.flush()


class Listener:
    """Encodes recordings as the pools do: in windows with context, a batch of the pool at once."""

    def __init__(self, name: str, config: Config) -> None:
        line = config.model("content", name)
        pool = config.pools[line.pool]
        self._model: ContentModel | SurveyingContentModel = load_model("content", name, line, Placement.of(pool))
        self._window, self._batch = config.window, pool.batch

    def encode(self, recording: Audio) -> Content:
        """Encode whole content frames of mono sound, float32 [N] at 16 kHz, into float [N/320, features]."""
        windows = clock.plan_windows(len(recording.data), self._window.samples, self._window.context_samples)
        sounds = [Audio(recording.data[w.start : w.start + w.length], recording.rate) for w in windows]
        survey = self._model.survey(sounds) if isinstance(self._model, SurveyingContentModel) else []
        heard = [Heard(sound, survey) for sound in sounds]
        contents: list[Content] = []
        for first in range(0, len(heard), self._batch):
            contents += STAGE.run(self._model, "window", heard[first : first + self._batch])
        kept = [
            content.data[clock.content_frames(w.keep_from - w.start) : clock.content_frames(w.keep_to - w.start)]
            for w, content in zip(windows, contents, strict=True)
        ]
        return Content(np.concatenate(kept), model=contents[0].model)


def main(arguments: list[str] | None = None) -> int:
    """Listen until the input ends; an explained failure is one line and an exit code."""
    parser = argparse.ArgumentParser(prog="voxrelay.workers.content.listen", description=__doc__)
    parser.add_argument("model", help="of the content stage")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is interrupted too, and ends our input
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # some packages print
    try:
        listener = Listener(options.model, configuration.load())
        while blob := read(sys.stdin.buffer):
            write(answers, listener.encode(Audio.from_bytes(blob)).to_bytes())
    except VoxError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
