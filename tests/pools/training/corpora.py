"""Small corpora of tones that the tests make."""

import csv
import itertools
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from voxrelay.relay import clock
from voxrelay.relay.corpus import COLUMNS
from voxrelay.training import checkpoint
from voxrelay.training.cache import Cache, Clip
from voxrelay.workers.content import encoder


def tone(seed: int, seconds: float, rate: int = clock.SOUND_RATE) -> NDArray[np.float32]:
    """Make a buzz with a vibrato and some noise, so that every band holds something."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = 90 + 25 * seed + 5 * np.sin(2 * np.pi * 4 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) * 0.2 + random.normal(0, 0.01, len(time))
    return np.asarray(sound, dtype=np.float32)


def cache(
    speakers: int = 6,
    seconds: float = 1.0,
    silent: frozenset[str] = frozenset(),
    folder: Path = Path("memory"),
    rate: int = clock.SOUND_RATE,
) -> Cache:
    """Make a cache in memory: two clips a speaker, men and women in turn; the ``silent`` say nothing.

    The first clip of each has a text; what is derived from the sound goes to ``folder``.
    """
    clips: list[Clip] = []
    sounds = []
    start = 0
    for i, take in itertools.product(range(speakers), range(2)):
        sound = np.rint(tone(i, seconds + take / 4, rate) * 20_000).astype(np.int16)
        text = "" if take else "hello"
        clips.append(Clip(f"{i}-{take}.wav", "toy", f"s{i}", "FM"[i % 2], "CC0-1.0", start, len(sound), text))
        sounds.append(np.zeros_like(sound) if f"s{i}" in silent else sound)
        start += len(sound)
    return Cache(folder, tuple(clips), np.concatenate(sounds), rate)


def listened(folder: Path, listener: encoder.Shape) -> Cache:
    """Make a cache at 16 kHz of four speakers, beside it an untrained ``listener.safetensors`` of that shape."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    checkpoint.write_half(encoder.Encoder(listener), vars(listener), folder / "listener.safetensors")
    return cache(speakers=4, seconds=2.0, folder=folder, rate=clock.RATE)


def write(folder: Path, splits: dict[str, str], rate: int = 16_000) -> Path:
    """Write one recording a speaker and a metadata.csv; ``splits`` names each speaker's split."""
    rows = []
    for i, (speaker, split) in enumerate(splits.items()):
        path = Path(split) / speaker / "a.wav"
        (folder / path).parent.mkdir(parents=True)
        soundfile.write(folder / path, tone(i, 1.0, rate), rate)
        rows.append((path, split, "toy", speaker, "FM"[i % 2], 1.0, "CC0-1.0", "words"))
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder / "metadata.csv"
