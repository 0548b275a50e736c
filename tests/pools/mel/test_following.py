"""gr0 and autovc-f0: their frames, their registers, what moves them, and what they refuse."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.ndimage import uniform_filter1d

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, BadInputError
from voxrelay.relay.tensors import MEL, Audio, Content, Floats, Mel, Voice
from voxrelay.workers.mel import autovc_f0, bottleneck, gr0, networks
from voxrelay.workers.mel.attention import Attention, lookup, spectra
from voxrelay.workers.mel.bottleneck import Bottleneck, melody
from voxrelay.workers.mel.following import Following, moved
from voxrelay.workers.mel.modulated import VOICE, Modulated, Shape
from voxrelay.workers.mel.networks import read, to_mel_frames
from voxrelay.workers.mel.pitch import UNKNOWN, Prosody, Register, register
from voxrelay.workers.mel.stage import STAGE, Utterance
from voxrelay.workers.mel.subbands import subbands
from voxrelay.workers.mel.timbre import timbre
from voxrelay.workers.runtime.model import Clip, FollowingMelModel, Target
from voxrelay.workers.runtime.placement import Placement

RATE = 16_000
NEXT = 2**-10  # relative: how far one number of float16 is from the next
SHAPES: dict[str, networks.Shape] = {
    "gr0": Shape(
        features=6, channels=16, blocks=2, kernel=3, expansion=2, condition=8, timbre=80, subbands=4, attention=2
    ),
    "autovc-f0": bottleneck.Shape(features=6, neck=4, stride=8, channels=16, decoder=16, postnet=8),
}


def buzz(hertz: float, seconds: float = 1.6, level: float = 0.1) -> Audio:
    """Make a voice-like buzz between two silences of 0.2 s."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * hertz * time * (1 + 0.05 * time)
    sound = level * sum(np.sin(k * phase) / k for k in range(1, 20))
    sound[: RATE // 5] = sound[-RATE // 5 :] = 0
    return Audio(np.asarray(sound, dtype=np.float32), RATE)


@pytest.fixture(params=SHAPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shape(name: str) -> networks.Shape:
    return SHAPES[name]


@pytest.fixture
def weights(shape: networks.Shape, tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = networks.build(shape)
    if isinstance(network, Modulated):  # as though they had been trained
        for block in network.blocks:
            torch.nn.init.normal_(block.modulate.weight)
    else:
        for weight in [*network.gather.parameters(), *network.say.parameters(), network.leave.weight]:
            torch.nn.init.normal_(weight)
    facts = {key: str(fact) for key, fact in networks.facts(shape, "toy").items()}
    save_file(
        {key: tensor.half().contiguous() for key, tensor in network.state_dict().items()}, tmp_path / "toy", facts
    )
    return tmp_path / "toy"


@pytest.fixture
def model(name: str, weights: Path) -> Following:
    return {"gr0": gr0, "autovc-f0": autovc_f0}[name].load(str(weights))


def content(frames: int, seed: int = 0) -> Content:
    return Content(np.random.default_rng(seed).standard_normal((frames, 6)).astype(np.float32), model="toy")


def target(hertz: float = 200, seed: int = 0) -> Target:
    vector = np.random.default_rng(seed).random(VOICE, dtype=np.float32)
    voice = Voice(vector / np.linalg.norm(vector), model="resemblyzer", seconds=2.0)
    return Target(f"{hertz}:{seed}", voice, lambda: [clip()], lambda: [buzz(hertz)])


def clip(seed: int = 7, colour: float = 0.0, weight: float = 1.0, frames: int = 80) -> Clip:
    """Make what the stages prepared of a clip, whose spectrum falls by ``colour`` over its bands."""
    noise = np.random.default_rng(seed).standard_normal((clock.mel_frames(frames), MEL.bands))
    return Clip(
        content(frames, seed), Mel((noise + np.linspace(colour, -colour, MEL.bands)).astype(np.float32)), weight
    )


def say(model: Following, sound: Audio, aim: Target, frames: int = 80) -> Floats:
    survey = model.survey([sound])
    [mel] = follow(model, [content(frames)], [aim], [sound], [survey])
    assert mel.spec == MEL.fingerprint
    return mel.data


def follow(
    model: Following,
    contents: Sequence[Content],
    targets: Sequence[Target],
    sounds: Sequence[Audio],
    surveys: Sequence[list[float]],
) -> list[Mel]:
    melodies = [model.melody(*one) for one in zip(sounds, surveys, targets, strict=True)]
    return model.follow(contents, targets, sounds, surveys, melodies)


def test_pitch_is_measured_at_the_centre_of_every_content_frame() -> None:
    found = Prosody.of(buzz(120))
    assert len(found.hertz) == len(found.loudness) == 80
    voiced = np.flatnonzero(found.hertz)
    assert voiced[0] == pytest.approx(10, abs=3)
    assert voiced[-1] == pytest.approx(69, abs=3)
    assert found.hertz[40] == pytest.approx(120 * (1 + 0.1 * 0.81), rel=0.02)
    assert found.loudness[40] > found.loudness[2] + 30
    assert np.isfinite(found.contour()).all()
    assert np.exp(found.contour()[0]) == pytest.approx(found.hertz[voiced[0]], rel=1e-3)


def test_a_voice_without_pitch_has_an_unknown_register() -> None:
    assert register([np.zeros(100)]) == UNKNOWN
    assert (Prosody.of(Audio(np.zeros(16_000, np.float32), RATE)).contour() == np.float32(UNKNOWN.median)).all()


def test_melody_moves_from_one_register_to_the_other() -> None:
    found = Prosody.of(buzz(120))
    own, voiced = register([found.hertz]), found.hertz > 0
    pitch = moved(found, own, Register(np.log(220), own.spread))
    assert np.exp(np.median(pitch[voiced])) == pytest.approx(220, rel=0.01)
    assert np.corrcoef(pitch[voiced], found.contour()[voiced])[0, 1] > 0.999


def test_a_melody_says_where_the_pitch_is_and_where_it_goes(model: Following) -> None:
    sound = buzz(120)
    found = model.melody(sound, model.survey([sound]), target(220)).data
    assert found.shape == (80, 2)
    voiced = found[:, 0] > 0
    assert voiced.tolist() == (Prosody.of(sound).hertz > 0).tolist()
    assert np.median(found[voiced, 1]) == pytest.approx(np.median(Prosody.of(buzz(220)).hertz[voiced]), rel=0.02)
    assert (found[:, 1] > 150).all()
    octave = model.melody(sound, model.survey([sound]), replace(target(220), transpose=12)).data
    assert octave[voiced, 1] == pytest.approx(2 * octave[voiced, 0], rel=1e-4)


@pytest.mark.parametrize("frames", [1, 50, 80, 256])
def test_mels_have_the_frames_that_cover_their_content(model: Following, frames: int) -> None:
    sound = Audio(buzz(120, 5.12).data[: frames * 320], RATE)
    assert say(model, sound, target(), frames).shape == (clock.mel_frames(frames), 80)


@pytest.mark.parametrize("name", ["gr0"])
def test_a_lower_precision_says_nearly_the_same(model: Following, weights: Path) -> None:
    lower = gr0.load(str(weights), placement=Placement(precision="bfloat16"))
    full, rough = (say(each, buzz(120), target()) for each in (model, lower))
    assert rough.dtype == np.float16
    assert 1e-5 < np.abs(full - rough).mean(dtype=float) < 0.02 * full.std(dtype=float)


def test_content_is_read_by_time() -> None:
    ramp = torch.arange(256, dtype=torch.float32)[None, :, None]
    read_out = to_mel_frames(ramp)[0, :, 0]
    assert len(read_out) == 441
    # mel frame m is centred 256 m + 128 samples in, content frame i 441 i + 220.5
    assert read_out[220] == pytest.approx((256 * 220 + 128 - 220.5) / 441, abs=1e-3)


def test_voice_register_and_pitch_of_the_source_all_matter(model: Following) -> None:
    plain = say(model, buzz(120), target())
    assert np.abs(plain - say(model, buzz(120), target(seed=1))).mean() > 0.01
    flat = Audio(np.random.default_rng(0).normal(0, 0.05, 25_600).astype(np.float32), RATE)
    assert np.abs(plain - say(model, flat, target())).mean() > 0.01


@pytest.mark.parametrize("name", ["gr0"])
def test_the_register_of_the_target_is_told(model: Following) -> None:
    assert np.abs(say(model, buzz(120), target()) - say(model, buzz(120), target(hertz=100))).mean() > 0.01


def test_a_timbre_is_that_of_speech_and_not_of_pauses() -> None:
    loud, quiet = np.full((10, 80), -4.0), np.full((30, 80), -10.0)
    loud[:, 40:] = -6.0
    found = timbre([loud, quiet])
    assert found.tolist() == [-4.0] * 40 + [-6.0] * 40


@pytest.mark.parametrize("name", ["gr0"])
def test_the_timbre_of_the_target_is_told(model: Following) -> None:
    plain = target()
    dull = replace(plain, id="dull", sounds=lambda: [Audio(uniform_filter1d(buzz(200).data, 5), RATE)])
    assert np.abs(say(model, buzz(120), plain) - say(model, buzz(120), dull)).mean() > 0.01


@pytest.mark.parametrize("name", ["gr0"])
def test_how_the_target_says_it_is_told(model: Following) -> None:
    plain = target()
    other = replace(plain, id="other", clips=lambda: [clip(colour=3.0)])
    assert np.abs(say(model, buzz(120), plain) - say(model, buzz(120), other)).mean() > 0.01
    with pytest.raises(BadInputError, match="without clips"):
        say(model, buzz(120), replace(plain, id="none", clips=list))


def test_attention_finds_the_frames_that_say_the_same() -> None:
    """Of frames in any order and at any length, those of the same content, however loud it all was."""
    torch.manual_seed(1)
    said = torch.randn(1, 40, 32)
    keys, values = said + 0.1 * torch.randn(1, 40, 32) + 5, torch.randn(1, 40, 80)
    order = torch.randperm(40)
    [found] = Attention(32, 2)(said + 5, keys[:, order], values[:, order])
    assert found.shape == (40, 2 * 81)
    sharp, soft = found[:, :80], found[:, 81:161]
    assert torch.allclose(sharp, values[0], atol=0.05)
    assert (sharp - values[0]).square().mean() < (soft - values[0]).square().mean()
    assert found[:, 80].min() > 0.95


def test_clips_are_looked_up_in_by_their_weights() -> None:
    """A short clip that weighs three times as much has three times the rows; spectra are less their loudness."""
    short, long = clip(1, weight=0.75, frames=40), clip(2, weight=0.25, frames=256)
    keys, values = lookup([short, long])
    own = (keys[:, None] == short.content.data[None]).all(axis=-1).any(axis=1)
    assert own.mean() == pytest.approx(0.75, abs=0.01)
    assert values.mean(axis=1) == pytest.approx(0, abs=1e-5)
    assert len(lookup([long])[0]) == len(keys)
    # mel frame m is centred 256 m + 128 samples in, content frame i 441 i + 220.5
    ramp = np.outer(np.arange(441), np.linspace(-1, 1, 80))
    assert spectra(ramp, np.array([0, 10, 255]))[:, -1].tolist() == [0, 18, 440]


def test_subbands_are_means_of_neighbours() -> None:
    found = subbands(np.arange(160, dtype=np.float64).reshape(2, 80), 3)
    assert found.dtype == np.float32
    assert found.tolist() == [[13.0, 39.5, 66.0], [93.0, 119.5, 146.0]]
    assert subbands(np.zeros((5, 80)), 0).shape == (5, 0)


@pytest.mark.parametrize("name", ["gr0"])
def test_bands_of_the_source_are_told_but_not_what_colours_all_of_it(model: Following) -> None:
    sound = buzz(120)
    dull = Audio(uniform_filter1d(sound.data, 5), RATE)
    own, other = model.survey([sound]), model.survey([dull])
    assert own[:2] == pytest.approx(other[:2], abs=0.02)
    plain, coloured = (
        follow(model, [content(80)], [target()], [one], [survey])[0].data
        for one, survey in ((sound, own), (dull, [*own[:2], *other[2:]]))
    )
    [told] = follow(model, [content(80)], [target()], [dull], [own])
    assert np.abs(plain - told.data).mean() > 2 * np.abs(plain - coloured).mean()


def test_a_melody_is_told_apart_from_its_register() -> None:
    pitch = torch.tensor([[[5.0, 1.0, 0.0], [5.3, 1.0, 0.0], [5.0, 0.0, 0.0]]])
    higher = pitch + torch.tensor([0.5, 0.0, 0.0])
    low, high = melody(pitch, torch.tensor([[5.0, 0.2]])), melody(higher, torch.tensor([[5.5, 0.2]]))
    assert torch.equal(low, high)
    assert low.shape == (1, 3, 257)
    assert low.argmax(dim=-1).tolist() == [[128, 175, 256]]


def test_what_passes_the_neck_changes_only_with_its_stretch() -> None:
    code = Bottleneck(bottleneck.Shape(features=6, neck=4, stride=8, channels=8)).eval().squeezed(torch.randn(1, 30, 6))
    assert code.shape == (1, 30, 8)
    assert all(torch.equal(code[:, i], code[:, i - i % 8]) for i in range(30))


def test_a_batch_gives_what_each_gives_alone(model: Following) -> None:
    sounds, aims = [buzz(110), buzz(180)], [target(), target(100, 3)]
    contents, surveys = [content(80, 1), content(80, 2)], [model.survey([sound]) for sound in sounds]
    together = follow(model, contents, aims, sounds, surveys)
    for i, mel in enumerate(together):
        [alone] = follow(model, [contents[i]], [aims[i]], [sounds[i]], [surveys[i]])
        np.testing.assert_allclose(mel.data, alone.data, rtol=NEXT, atol=1e-4)


def test_content_in_float16_is_said_as_in_float32(model: Following) -> None:
    sound, full = buzz(110), content(80)
    survey, half = model.survey([sound]), Content(full.data.astype(np.float16), model="toy")
    [wanted], [found] = (follow(model, [said], [target()], [sound], [survey]) for said in (full, half))
    assert np.abs(wanted.data - found.data).mean(dtype=float) < 0.01  # 0.1 dB


def test_the_stage_gives_it_what_it_follows(model: Following) -> None:
    assert isinstance(model, FollowingMelModel)
    sound = buzz(120)
    survey = model.survey([sound])
    way = model.melody(sound, survey, target())
    [mel] = STAGE.run(model, "window", [Utterance(content(80), target(), sound, tuple(survey), way)])
    assert np.array_equal(mel.data, say(model, sound, target()))


def test_what_it_refuses(model: Following, weights: Path, name: str) -> None:
    other = Content(np.zeros((10, 6), np.float32), model="mfcc")
    with pytest.raises(BadInputError, match="content of mfcc"):
        follow(model, [other], [target()], [buzz(120)], [[5.0, 0.2]])
    small = replace(target(), voice=Voice(np.ones(3, np.float32), model="other", seconds=1.0))
    with pytest.raises(BadInputError, match="a voice of other"):
        follow(model, [content(10)], [small], [buzz(120)], [[5.0, 0.2]])
    with pytest.raises(BadConfigError, match="a network of"):
        read(weights, "gr0" if name == "autovc-f0" else "autovc-f0")
    save_file({"a": torch.zeros(1)}, weights, {"model": name, "features": "6"})
    with pytest.raises(BadConfigError, match=f"no network of {name}"):
        read(weights, name)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("gr0", replace(SHAPES["gr0"], timbre=0)), ("autovc-f0", SHAPES["autovc-f0"])],  # their timbres differ
)
def test_a_melody_may_be_moved_by_semitones_instead(model: Following, name: str) -> None:
    sound = buzz(120)
    auto, moved = target(hertz=240), replace(target(hertz=100), transpose=12.0)
    if name == "gr0":  # which is told where pitch was moved to
        # an octave up is where a target of twice the pitch lies; only the spread that it is scaled by may differ
        assert np.abs(say(model, sound, auto) - say(model, sound, moved)).mean() < 0.1
    assert np.abs(say(model, sound, moved) - say(model, sound, replace(moved, transpose=-12.0))).mean() > 0.01


def test_a_conversion_leaves_whoever_the_source_is_if_it_is_asked_to(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = networks.build(SHAPES["gr0"])
    assert isinstance(network, Modulated)
    for block in network.blocks:
        torch.nn.init.normal_(block.modulate.weight)
    facts = {key: str(fact) for key, fact in networks.facts(SHAPES["gr0"], "toy").items()}
    save_file(network.state_dict(), tmp_path / "toy", facts)
    sound, aim, other = buzz(150), target(), target(seed=1).voice.data
    stays, leaves = (gr0.load(str(tmp_path / "toy"), leave=leave) for leave in (0.0, 1.0))
    plain = say(stays, sound, aim)
    for model, left in ((stays, other), (leaves, None), (leaves, aim.voice.data)):
        np.testing.assert_allclose(say(model, sound, replace(aim, left=left)), plain, rtol=2 * NEXT, atol=2 * NEXT)
    away = say(leaves, sound, replace(aim, left=other))
    on = (2 * aim.voice.data - other).clip(min=0)
    assert (on == 0).any(), "some of it would be negative"
    voice = Voice(on / np.linalg.norm(on), model="resemblyzer", seconds=2.0)
    np.testing.assert_allclose(away, say(stays, sound, replace(aim, voice=voice)), rtol=2 * NEXT, atol=2 * NEXT)
    assert np.abs(away - plain).max() > 0.01


def test_a_source_of_another_speaker_model_is_refused(model: Following) -> None:
    with pytest.raises(BadInputError, match="takes those of resemblyzer"):
        say(model, buzz(150), replace(target(), left=np.ones(2, np.float32)))
