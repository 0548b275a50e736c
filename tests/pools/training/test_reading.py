"""A reader tells sounds apart, and is not deceived by whose voice they are in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxrelay.relay import clock
from voxrelay.relay.tensors import MEL
from voxrelay.training.cache import Cache, Clip
from voxrelay.training.features import Features
from voxrelay.training.mel import reading
from voxrelay.training.mel.learning import misread
from voxrelay.training.mel.material import Material
from voxrelay.training.mel.reading import reader

SOUNDS, FRAMES, CLIPS = 4, 500, 6


@pytest.fixture
def spoken(tmp_path: Path) -> tuple[Cache, Material]:
    """Recordings of four sounds, each with a content and a spectrum, in voices that differ by a spectrum."""
    random = np.random.default_rng(0)
    contents, spectra = random.normal(size=(SOUNDS, 8)), random.normal(size=(SOUNDS, MEL.bands)).cumsum(axis=1) / 3
    clips, content, mel = [], [], []
    for number in range(CLIPS):
        said = random.integers(SOUNDS, size=FRAMES // 10).repeat(10)
        content.append(contents[said] + 0.05 * random.normal(size=(FRAMES, 8)))
        count = clock.mel_frames(FRAMES)
        places = ((np.arange(count) + 0.5) * MEL.hop / clock.SOUND_PER_HOP).astype(int).clip(max=FRAMES - 1)
        mel.append(spectra[said[places]] + random.normal(size=MEL.bands) + 0.1 * random.normal(size=(count, MEL.bands)))
        start = number * FRAMES * clock.CONTENT_HOP
        clips.append(Clip(f"{number}", "a", f"{number}", "", "", start, FRAMES * clock.CONTENT_HOP))
    nothing = np.zeros(0, np.int16)
    cache = Cache(tmp_path, tuple(clips), nothing, clock.RATE)
    found = Features(np.zeros((0, 1)), {})
    return cache, Material(rows(clips, content), found, rows(clips, mel), found)


def rows(clips: list[Clip], found: list[np.ndarray]) -> Features:
    places = {clip.start: (i * len(found[0]), len(found[0])) for i, clip in enumerate(clips)}
    return Features(np.concatenate(found).astype(np.float16), places)


def test_it_reads_speakers_whom_it_has_not_heard(
    spoken: tuple[Cache, Material], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(reading, "_STEPS", 80)
    monkeypatch.setattr(reading, "_BATCH", 4)
    monkeypatch.setattr(reading, "_SOUNDS", SOUNDS)
    cache, material = spoken
    found = reader(cache, material, {"5"}, "some")
    [lesson] = reading._lessons(material, [cache.clips[5]])
    said = found(lesson.mel.float()[None])[0].argmax(dim=1)
    pairs = {(int(a), int(b)) for a, b in zip(said, lesson.sounds, strict=True)}
    counted = torch.stack([torch.bincount(said[lesson.sounds == s], minlength=SOUNDS) for s in lesson.sounds.unique()])
    assert counted.max(dim=1).values.sum() / counted.sum() > 0.8, pairs
    assert not any(parameter.requires_grad for parameter in found.parameters())
    monkeypatch.setattr(reading, "_losses", lambda *_: pytest.fail("it had learnt already"))
    again = reader(cache, material, {"5"}, "some")
    assert torch.equal(again(lesson.mel.float()[None]), found(lesson.mel.float()[None]))


def test_a_conversion_is_held_to_what_was_said_in_its_own_voice() -> None:
    from types import SimpleNamespace

    mel = torch.randn(2, 32, 80)
    timbre = torch.randn(2, 80)
    asked = SimpleNamespace(mel=torch.cat([mel, mel]), timbre=torch.cat([timbre, timbre.flip(0)]))
    read = torch.nn.Sequential(torch.nn.Linear(80, 5), torch.nn.LogSoftmax(dim=-1))
    moved = mel - timbre[:, None] + timbre.flip(0)[:, None]
    assert misread(read, asked, torch.cat([mel, moved]), 2) < 1e-6  # type: ignore[arg-type]
    assert misread(read, asked, torch.cat([mel, mel]), 2) > 0.01  # type: ignore[arg-type]
