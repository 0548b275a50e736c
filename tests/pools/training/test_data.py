"""Which recordings are read, who is held back, and what crops are made of."""

from pathlib import Path

import corpora
import numpy as np
import pytest
import soundfile
import torch

from voxrelay.relay import clock
from voxrelay.relay.errors import BadInputError
from voxrelay.training import cache, corpus, held_back
from voxrelay.training.cache import Clip
from voxrelay.training.crops import CropConfig, Crops, resample
from voxrelay.training.feed import feed


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXRELAY_HOME", str(tmp_path / "home"))


def test_only_training_rows_are_read(tmp_path: Path) -> None:
    table = corpora.write(tmp_path, {"ann": "train", "bob": "dev", "cid": "test", "dee": "train"})
    assert {recording.speaker for recording in corpus.read(table)} == {"ann", "dee"}


@pytest.mark.parametrize("inside", ["dev", "dev/bob"])
def test_no_path_leads_around_the_split(tmp_path: Path, inside: str) -> None:
    corpora.write(tmp_path, {"ann": "train", "bob": "dev"})
    with pytest.raises(BadInputError, match="no recording for training"):
        corpus.read(tmp_path / inside)
    assert [recording.speaker for recording in corpus.read(tmp_path / "train")] == ["ann"]
    assert [recording.speaker for recording in corpus.read(tmp_path)] == ["ann"]


def test_a_speaker_in_two_splits_is_refused(tmp_path: Path) -> None:
    table = corpora.write(tmp_path, {"ann": "train", "bob": "dev"})
    table.write_text(table.read_text().replace(",bob,", ",ann,"))
    with pytest.raises(BadInputError, match="toy/ann"):
        corpus.read(table)


def test_the_cache_holds_the_sound_at_the_mels_rate(tmp_path: Path) -> None:
    table = corpora.write(tmp_path, {"ann": "train", "bob": "dev", "cid": "train"})
    made = cache.prepare(table)
    assert [clip.speaker for clip in made.clips] == ["ann", "cid"]
    assert made.of(made.clips[1]).dtype == np.int16
    assert made.of(made.clips[1]).shape == (clock.SOUND_RATE,)
    again = cache.prepare(made.folder)
    assert again.clips == made.clips
    assert np.array_equal(again.sound, made.sound)


def test_a_cache_may_be_cut_to_some_seconds_a_speaker(tmp_path: Path) -> None:
    for name in ("ann/a", "ann/b", "ann/c", "bob/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{name}.wav", corpora.tone(1, 1.0), clock.SOUND_RATE)
    assert [clip.name for clip in cache.prepare(tmp_path, most=1.5).clips] == ["a.wav", "b.wav", "a.wav"]
    assert len(cache.prepare(tmp_path).clips) == 4


def test_what_cannot_be_decoded_leaves_no_cache(tmp_path: Path) -> None:
    table = corpora.write(tmp_path, {"ann": "train"})
    (tmp_path / "train" / "ann" / "a.wav").write_bytes(b"no sound")
    with pytest.raises(BadInputError, match=r"a\.wav"):
        cache.prepare(table)
    assert not list(tmp_path.glob("home/training/*/index.json"))


def test_stereo_becomes_mono(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    soundfile.write(tmp_path / "ann" / "a.wav", np.array([[0.5, 0.1]] * 4410), clock.SOUND_RATE)
    assert abs(int(cache.prepare(tmp_path).sound[2000]) - round(0.3 * 32_767)) <= 1


def clip(corpus: str, speaker: str, sex: str) -> Clip:
    return Clip("a", corpus, speaker, sex, "", 0, 1)


def test_held_back_speakers_follow_from_their_names() -> None:
    clips = [clip("a", f"s{i}", "FM"[i % 2]) for i in range(40)] + [clip("b", f"t{i}", "") for i in range(3)]
    held = held_back.speakers(clips, {"a": 6, "b": 2, "elsewhere": 5})
    assert held == held_back.speakers(clips[::-1], {"a": 6, "b": 2, "elsewhere": 5})
    assert len([name for name in held if name.startswith("s")]) == 6
    assert sum(int(name[1:]) % 2 for name in held if name.startswith("s")) == 3
    assert len([name for name in held if name.startswith("t")]) == 1, "at most a quarter, but one of two"


def test_of_recordings_of_ones_own_two_speakers_are_held_back() -> None:
    clips = [clip("folder", f"s{i}", "") for i in range(8)] + [clip("mine", f"t{i}", "") for i in range(2)]
    held = held_back.speakers(clips, {"librispeech": 20})
    assert (sum(name < "t" for name in held), len(held)) == (2, 3)


def test_nobody_is_held_back_who_speaks_in_another_corpus() -> None:
    clips = [clip("a", f"s{i}", "F") for i in range(8)] + [clip("b", f"s{i}", "F") for i in range(6)]
    assert held_back.speakers(clips, {"a": 6, "b": 6}) < {"s6", "s7"}


def test_held_back_speakers_never_appear_in_batches() -> None:
    held = held_back.speakers(corpora.cache(8).clips, {"toy": 2})
    assert len(held) == 2
    made = corpora.cache(8, silent=held)
    crops = Crops(made, held, CropConfig(silence=1.0), seed=1)
    assert crops.speakers == {clip.speaker for clip in made.clips} - held
    for step in range(20):
        assert np.sqrt(np.mean(crops.batch(step, 8, 4096) ** 2, axis=1)).min() > 0.01
    with_them = Crops(made, (), CropConfig(silence=1.0), seed=1)
    assert min(np.abs(with_them.batch(step, 8, 4096)).max(axis=1).min() for step in range(20)) == 0


def test_batches_follow_from_seed_and_step() -> None:
    crops = Crops(corpora.cache(), (), CropConfig(), seed=3)
    batches = list(feed(lambda step: crops.batch(step, 2, 2048), range(5, 8), torch.device("cpu")))
    assert batches[1].shape == (2, 2048)
    assert batches[1].dtype == np.float32
    assert np.array_equal(batches[1], crops.batch(6, 2, 2048))
    assert not np.array_equal(batches[1], batches[0])
    assert not np.array_equal(batches[1], Crops(corpora.cache(), (), CropConfig(), seed=4).batch(6, 2, 2048))


@pytest.mark.parametrize("kind", ["cpu", "meta"])
def test_batches_come_in_order_and_none_in_vain(kind: str) -> None:
    drawn: list[int] = []
    got = list(feed(lambda step: drawn.append(step) or step, range(3, 24), torch.device(kind)))
    assert got == list(range(3, 24))
    assert sorted(drawn) == got


def test_shares_weigh_corpora() -> None:
    made = corpora.cache(2, silent=frozenset({"s1"}))
    clips = tuple(Clip(**{**vars(c), "corpus": c.speaker}) for c in made.clips)
    config = CropConfig(shares={"s0": 0.75, "s1": 0.25}, silence=1.0)
    batch = Crops(cache.Cache(made.folder, clips, made.sound), (), config, seed=1).batch(0, 400, 1024)
    assert np.mean(np.abs(batch).max(axis=1) > 0) == pytest.approx(0.75, abs=0.07)


def test_peaks_stay_below_full_scale_and_short_clips_are_filled() -> None:
    crops = Crops(corpora.cache(seconds=0.1), (), CropConfig(level=(30.0, 30.0)), seed=1)
    batch = crops.batch(0, 16, 8192)
    assert batch.shape == (16, 8192)
    assert np.abs(batch).max() == pytest.approx(0.95, abs=1e-3)


def test_resampling_moves_pitch_and_ends_the_band() -> None:
    time = np.arange(12_000) / clock.SOUND_RATE
    sound = np.sin(2 * np.pi * 1000 * time) + np.sin(2 * np.pi * 7000 * time)
    raised = resample(sound, 10_000, 8000)
    spectrum = np.abs(np.fft.rfft(raised[500:-500] * np.hanning(9000)))
    hertz = np.fft.rfftfreq(9000, 1 / clock.SOUND_RATE)
    assert hertz[spectrum.argmax()] == pytest.approx(1200, abs=5)
    assert spectrum[hertz > 8100].max() < 1e-3 * spectrum.max(), "7 kHz would be 8.4 kHz"
    assert np.sqrt(np.mean(raised[2000:-2000] ** 2)) == pytest.approx(np.sqrt(0.5), rel=0.01)
