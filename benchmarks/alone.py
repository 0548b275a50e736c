"""The models of the profile, called in turn in one process and one thread, without a queue, to compare with.

Started by bench.py in an environment of a pool, with the packages of another on its path: those of ``lite`` agree.
Reads lines, each a list of files of windows; answers each with the seconds of every stage.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(sys.argv[1])

import numpy as np
import torch

from voxrelay.relay import clock
from voxrelay.relay import config as configuration
from voxrelay.relay.tensors import Audio
from voxrelay.workers.content import stage as content
from voxrelay.workers.content.stage import Heard
from voxrelay.workers.mel import stage as mel
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.mel.stage import Utterance
from voxrelay.workers.runtime import loudness
from voxrelay.workers.runtime.inputs import middles, spread
from voxrelay.workers.runtime.loading import load_model
from voxrelay.workers.runtime.model import Clip, ExcitedVocoderModel, FollowingMelModel, Target
from voxrelay.workers.runtime.placement import CPU
from voxrelay.workers.speaker import stage as speaker
from voxrelay.workers.vocoder import excitation
from voxrelay.workers.vocoder import stage as vocoder
from voxrelay.workers.vocoder.stage import Spectrum


class Models:
    """One model of each stage; ``seconds`` that each stage took since it was last asked."""

    def __init__(self) -> None:
        config = configuration.load()
        torch.set_num_threads(1)
        self.models: dict[str, Any] = {
            stage: load_model(stage, name, config.model(stage, name), CPU) for stage, name in config.chain().items()
        }
        self.leaves = bool(config.model("mel", config.chain()["mel"]).options.get("leave"))
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add what this takes to a stage."""
        began = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - began

    def convert(self, windows: list[Audio], clips: list[Audio]) -> None:
        """Convert the windows of one recording; its voice is prepared, as it is in pools that know it."""
        target = self._target(clips)
        model = self.models["mel"]
        survey: tuple[float, ...] = ()
        if isinstance(model, FollowingMelModel):
            with self.timed("survey"):
                surveyed = middles([windows[i] for i in spread(len(windows))])
                survey = tuple(model.survey(surveyed))
                if self.leaves:
                    left = speaker.embed_recording(self.models["speaker"], surveyed)
                    target = replace(target, left=np.array(left, dtype=np.float32))
        for sound in windows:
            with self.timed("content"):
                said = content.STAGE.run(self.models["content"], "window", [Heard(sound, [])])[0]
            with self.timed("mel"):
                way = model.melody(sound, list(survey), target) if isinstance(model, FollowingMelModel) else None
                made = mel.STAGE.run(model, "window", [Utterance(said, target, sound, survey, way)])[0]
            with self.timed("vocoder"):
                asks = way is not None and isinstance(self.models["vocoder"], ExcitedVocoderModel)
                lent = excitation.move(sound, way) if asks else None
                vocoder.STAGE.run(self.models["vocoder"], "window", [Spectrum(made, loudness.measure(sound), lent)])

    def _target(self, clips: list[Audio]) -> Target:
        key = f"{clips[0].data[:8].tobytes()!r}"
        if key not in _PREPARED:
            said = [content.STAGE.run(self.models["content"], "reference", [Heard(clip, [])])[0] for clip in clips]
            known = [Clip(heard, log_mel(clip), 1 / len(clips)) for heard, clip in zip(said, clips, strict=True)]
            voice = self.models["speaker"].embed(clips)[0]
            _PREPARED[key] = Target(id=key, voice=voice, clips=lambda: known, sounds=lambda: clips)
        return _PREPARED[key]


_PREPARED: dict[str, Target] = {}


def read(path: Path) -> tuple[list[Audio], list[Audio]]:
    """Read windows and clips."""
    with np.load(path) as found:
        sounds = {name: Audio(found[name], clock.RATE) for name in sorted(found)}
    return tuple([sound for name, sound in sounds.items() if name.startswith(kind)] for kind in ("window", "clip"))


def main() -> None:
    """Answer until standard input ends."""
    models = Models()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    print(json.dumps({}), file=answers, flush=True)
    for line in sys.stdin:
        recordings = [read(Path(path)) for path in json.loads(line)]
        models.seconds.clear()
        for windows, clips in recordings:
            models.convert(windows, clips)
        print(json.dumps(models.seconds), file=answers, flush=True)


if __name__ == "__main__":
    main()
