"""Retrieval: what is found, in what runs, and when it is heard."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import Audio, Content, Floats, Mel, Voice
from voxrelay.workers.mel import retrieval
from voxrelay.workers.mel.retrieval import Reference
from voxrelay.workers.mel.spectrogram import log_mel
from voxrelay.workers.runtime.model import Clip, Target

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "male.ogg"
VOICE = Voice(np.ones(1, dtype=np.float32), model="any", seconds=1.0)


def smooth(frames: int, width: int, seed: int) -> Floats:
    """Return smooth random tracks, so that neighbours in time are alike."""
    white = np.random.default_rng(seed).standard_normal((frames + 8, width))
    return sum(white[i : i + frames] for i in range(9)).astype(np.float32)


def clip(frames: int, seed: int) -> Clip:
    """Pair random content with a random mel of the same length."""
    content = Content(smooth(frames, 13, seed), model="toy")
    return Clip(content, Mel(smooth(clock.mel_frames(frames), 80, seed + 1000)), weight=1.0)


def target(*clips: Clip, name: str = "voice") -> Target:
    return Target(name, VOICE, lambda: list(clips))


@pytest.mark.parametrize("frames", [1, 15, 150, 256, 300])
def test_frames_follow_from_content_frames(frames: int) -> None:
    mel = retrieval.load().convert([Content(smooth(frames, 13, 5), model="toy")], [target(clip(200, 1))])[0]
    assert mel.data.shape == (clock.mel_frames(frames), 80)
    assert mel.data.dtype == np.float32


@pytest.mark.parametrize("frames", [15, 150, 256])
def test_a_reference_says_itself(frames: int) -> None:
    own, other = clip(frames, 1), clip(100, 2)
    mel = retrieval.load(neighbours=1).convert([own.content], [target(other, own)])[0]
    np.testing.assert_allclose(mel.data, own.mel.data, atol=1e-4)


def test_a_recording_in_its_own_voice_is_itself() -> None:
    sound, _rate = soundfile.read(EXAMPLE, dtype="float32")
    cuts = [sound[start : start + 81_920] for start in range(0, len(sound) - 81_920, 40_960)]
    clips = [
        Clip(Content(smooth(256, 13, i), "toy"), log_mel(Audio(cut, rate=16_000)), 1.0) for i, cut in enumerate(cuts)
    ]
    assert len(clips) > 1
    for one in clips:
        [said] = retrieval.load(neighbours=1).convert([one.content], [target(*clips)])
        assert np.abs(said.data - one.mel.data).max() < 1e-4


def test_runs_are_preferred_to_single_better_frames() -> None:
    reference = Reference([clip(200, 1), clip(200, 2)], context=0, ridge=0.03)
    said = clip(200, 1).content.data[50:90] + 2 * np.random.default_rng(0).standard_normal((40, 13)).astype(np.float32)
    jumps = [
        np.sum(np.diff(retrieval.load(context=0, join_cost=cost).match(said, reference)) != 1) for cost in (0.0, 1.0)
    ]
    assert jumps[1] < 0.5 * jumps[0]


def test_no_run_crosses_from_clip_to_clip_for_free() -> None:
    successor = Reference([clip(30, 1), clip(40, 2)], context=1, ridge=0.03).successor
    np.testing.assert_array_equal(successor[[0, 28, 29, 30, 69]], [1, 29, 29, 31, 69])


def test_the_mel_is_read_by_time() -> None:
    frames, delay = 200, 64
    own = clip(frames, 1)
    slope = np.arange(clock.mel_frames(frames), dtype=np.float32)[:, np.newaxis].repeat(80, axis=1)
    later = Content(own.content.data[delay:], model="toy")
    mel = retrieval.load(neighbours=1).convert([later], [target(Clip(own.content, Mel(slope), 1.0))])[0]
    expected = slope[:, 0][: len(mel.data)] + delay * 441 / 256
    inside = slice(8, -8)
    np.testing.assert_allclose(mel.data[inside, 0], expected[inside], atol=0.02)


def test_what_a_match_lacks_is_added() -> None:
    content = smooth(300, 13, 1)
    to_mel = np.random.default_rng(2).standard_normal((13, 80)).astype(np.float32)
    at_content = np.arange(clock.mel_frames(300)) * 256 / 441 + 128 / 441 - 0.5
    mel = np.stack([np.interp(at_content, np.arange(300), band) for band in (content @ to_mel).T], axis=1)
    reference = target(Clip(Content(content, model="toy"), Mel(mel.astype(np.float32)), 1.0))
    unseen = smooth(100, 13, 9)
    wanted = np.stack([np.interp(at_content[:172], np.arange(100), band) for band in (unseen @ to_mel).T], axis=1)
    errors = [
        np.abs(retrieval.load(ridge=ridge).convert([Content(unseen, "toy")], [reference])[0].data[:172] - wanted).mean()
        for ridge in (1e-3, 1e6)
    ]
    assert errors[0] < 0.2 * errors[1]


def test_the_same_input_gives_the_same_bytes() -> None:
    said, reference = Content(smooth(150, 13, 7), model="toy"), [clip(256, 1), clip(90, 2)]
    first, second = (retrieval.load().convert([said], [target(*reference)])[0] for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


def test_a_batch_of_eight_is_each_content_alone() -> None:
    contents = [Content(smooth(40, 13, seed), model="toy") for seed in range(8)]
    targets = [target(clip(120, seed), name=str(seed)) for seed in (1, 2, 1, 3, 2, 4, 5, 6)]
    for one, content, voice in zip(retrieval.load().convert(contents, targets), contents, targets, strict=True):
        alone = retrieval.load().convert([content], [voice])[0]
        np.testing.assert_allclose(one.data, alone.data, atol=1e-4)


def test_a_reference_is_fetched_once_while_it_is_in_use() -> None:
    fetched: list[str] = []

    def fetch(name: str) -> list[Clip]:
        fetched.append(name)
        return [clip(60, 1)]

    model, said = retrieval.load(), Content(smooth(20, 13, 7), model="toy")
    for name in "aaba" + "cdea" + "b":
        model.convert([said], [Target(name, VOICE, lambda name=name: fetch(name))])  # type: ignore[misc]
    assert "".join(fetched) == "ab" + "cde" + "b"


def test_a_constant_reference_is_finite() -> None:
    still = Clip(Content(np.zeros((50, 13), np.float32), "toy"), Mel(np.full((87, 80), -11.5, np.float32)), 1.0)
    mel = retrieval.load().convert([Content(smooth(50, 13, 1), model="toy")], [target(still)])[0]
    np.testing.assert_allclose(mel.data, -11.5, rtol=1e-5)


def test_another_content_model_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"content of other.*toy"):
        retrieval.load().convert([Content(smooth(20, 13, 1), model="other")], [target(clip(50, 1))])


def test_a_reference_without_clips_is_refused() -> None:
    with pytest.raises(BadInputError, match="without clips"):
        retrieval.load().convert([Content(smooth(20, 13, 1), model="toy")], [target()])


@pytest.mark.parametrize("option", ["neighbours", "context", "join_cost", "ridge"])
def test_options_out_of_range_are_refused(option: str) -> None:
    with pytest.raises(BadConfigError, match=f"{option} -1"):
        retrieval.load(**{option: -1})
