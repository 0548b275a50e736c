"""Training an acoustic model: material, crops, phases, resuming, and the file that comes out."""

from dataclasses import replace
from pathlib import Path

import corpora
import numpy as np
import pytest
import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError, UnavailableError
from voxrelay.relay.tensors import MEL
from voxrelay.training import __main__ as command
from voxrelay.training import checkpoint, config, virtual
from voxrelay.training.cache import Cache
from voxrelay.training.export import Mix, export
from voxrelay.training.mel import material
from voxrelay.training.mel.batches import Batches, Source, Stretch, converted, cut, relative_subbands, warped
from voxrelay.training.mel.config import Doubt, MelConfig, MelPhase, Weights
from voxrelay.training.mel.ears import ContentEar, VoiceEar
from voxrelay.training.mel.learning import Learner, shifts, smoothed
from voxrelay.training.mel.listening import Lite
from voxrelay.training.mel.recipe import MelRecipe
from voxrelay.training.mel.state import MelState
from voxrelay.training.run import Run
from voxrelay.training.spectra import mel_centres
from voxrelay.workers.content import encoder
from voxrelay.workers.mel import bottleneck, networks
from voxrelay.workers.mel.attention import spectra
from voxrelay.workers.mel.modulated import Shape
from voxrelay.workers.mel.networks import read, to_mel_frames
from voxrelay.workers.mel.subbands import subbands
from voxrelay.workers.mel.timbre import timbre

CPU = torch.device("cpu")
LISTENER = encoder.Shape(features=8, channels=8, blocks=1, kernel=3, expansion=1)
REBUILD = MelPhase(name="rebuild", steps=2, learning_rate=1e-3, batch=2, crop=32, weights=Weights(mel=1))
DISCRIMINATORS = replace(REBUILD, name="discriminators", weights=Weights(), discriminate=True)
ADVERSARIAL = replace(
    REBUILD, name="adversarial", weights=Weights(mel=1, feature=2, adversarial=0.1), discriminate=True
)
TINY = MelConfig(
    shape=Shape(
        features=8, channels=16, blocks=2, kernel=3, expansion=2, condition=8, timbre=MEL.bands, subbands=4, attention=2
    ),
    phases=(REBUILD, DISCRIMINATORS, ADVERSARIAL),
    held_back={"toy": 1},
    discriminator_channels=2,
    bf16=False,
    log_every=1,
    validate_every=6,
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    made = corpora.listened(tmp_path_factory.mktemp("cache"), LISTENER)
    material.prepare(made, Lite(made.folder / "listener.safetensors"))
    return made


def recipe(cache: Cache, settings: MelConfig = TINY) -> MelRecipe:
    return MelRecipe(settings, cache, cache.folder / "listener.safetensors", CPU)


def test_material_says_what_the_pools_would(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    clip = cache.clips[3]
    frames = clock.content_frames(clip.length)
    assert found.content.of(clip).shape == (frames, 8)
    assert found.mels.of(clip).shape == (clock.mel_frames(frames), MEL.bands)
    assert np.median(found.prosody.of(clip)[:, 0]) == pytest.approx(90 + 25, abs=8)
    assert np.linalg.norm(found.voices.of(clip).astype(np.float32), axis=1) == pytest.approx(1, abs=1e-2)
    with pytest.raises(UnavailableError, match="no content encoder"):
        material.prepare(cache, Lite(cache.folder / "none.safetensors"))


def test_a_crop_is_read_where_the_pool_reads_it(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    clip = cache.clips[0]
    content, prosody, mel = cut(found, clip, 40, 32)
    whole = to_mel_frames(torch.from_numpy(np.asarray(found.content.of(clip), dtype=np.float32))[None])[0]
    assert np.abs(content - whole[40:72].numpy()).max() < 1e-3
    assert prosody.shape == (32, 3)
    assert np.array_equal(mel, found.mels.of(clip)[40:72].astype(np.float32))


def test_spectra_are_warped_to_other_frequencies() -> None:
    centres = mel_centres()
    peak = np.exp(-np.square(np.arange(80) - 40.0) / 8)[None].astype(np.float32)
    assert np.array_equal(warped(peak, 1.0), peak)
    higher = centres[warped(peak, 1.2).argmax()]
    assert higher == pytest.approx(1.2 * centres[40], rel=0.03)


def test_subbands_are_those_of_the_crop_and_differ_from_draw_to_draw(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    clip = cache.clips[0]
    whole = np.asarray(found.mels.of(clip), dtype=np.float32)
    parts = relative_subbands(found, clip, 40, 32, 4)
    assert np.allclose(parts, subbands(whole[40:72], 4) - subbands(timbre([whole]), 4), atol=1e-5)
    told = Batches({Source(cache, found, {"s1"}, TINY): 1.0}, TINY.seed).batch(0, 3, 40)
    assert told.prosody.shape == (3, 40, 7)
    as_it_is, offset, other = (
        Batches({Source(cache, found, {"s1"}, replace(TINY, doubt=doubt)): 1.0}, TINY.seed).batch(0, 3, 40).prosody
        for doubt in (Doubt(subbands=0, warp=(1, 1)), Doubt(subbands=0.3, warp=(1, 1)), Doubt(subbands=0))
    )
    constant, moved = (offset - as_it_is)[..., 3:], (other - as_it_is)[..., 3:]
    assert constant.abs().min() > 1e-4
    assert constant.std(dim=1).max() < 1e-5
    assert moved.std(dim=1).max() > 0.01


def test_weights_that_knew_less_are_taken_over(cache: Cache, tmp_path: Path) -> None:
    before = networks.build(replace(TINY.shape, subbands=0, attention=0))
    checkpoint.write_half(before, networks.facts(before.shape, "toy"), tmp_path / "before.safetensors")
    state = MelState(TINY, CPU)
    state.start_from(tmp_path / "before.safetensors")
    told = next(recipe(cache).feed(range(1)))
    now = told.said(state.generator)
    plain = replace(told, prosody=told.prosody[..., :3])
    assert torch.allclose(now, plain.said(before), atol=1e-2)
    checkpoint.write_half(state.generator, networks.facts(TINY.shape, "toy"), tmp_path / "broad.safetensors")
    finer = MelState(replace(TINY, shape=replace(TINY.shape, subbands=8)), CPU)
    finer.start_from(tmp_path / "broad.safetensors")
    twice = torch.cat([plain.prosody, told.prosody[..., 3:].repeat_interleave(2, dim=-1)], dim=-1)
    assert torch.allclose(replace(told, prosody=twice).said(finer.generator), now, atol=1e-2)
    with pytest.raises(BadConfigError, match="a network of"):
        MelState(replace(TINY, shape=replace(TINY.shape, blocks=1)), CPU).start_from(tmp_path / "before.safetensors")
    for count in (0, 2, 6):  # fewer than they know, or no whole number for each
        other = MelState(replace(TINY, shape=replace(TINY.shape, subbands=count)), CPU)
        with pytest.raises(BadConfigError, match="a network of"):
            other.start_from(tmp_path / "broad.safetensors")
    with pytest.raises(BadConfigError, match="a network of"):
        MelState(replace(TINY, shape=replace(TINY.shape, attention=1)), CPU).start_from(tmp_path / "broad.safetensors")


def test_batches_follow_from_seed_and_step(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    made = virtual.prepare(cache, {"s1"}, TINY.virtual)
    other = Source(made, material.prepare(made, Lite(cache.folder / "listener.safetensors")), (), TINY)
    batches = Batches({Source(cache, found, {"s1"}, TINY): 0.5, other: 0.5}, TINY.seed)
    one, again = batches.batch(5, 3, 40), batches.batch(5, 3, 40)
    assert torch.equal(one.mel, again.mel)
    assert torch.equal(one.voice, again.voice)
    assert one.content.shape == (3, 40, 8)
    assert torch.linalg.vector_norm(one.voice, dim=1) == pytest.approx(1, abs=1e-4)


def test_virtual_voices_are_higher_and_lower_than_whom_they_are_made_of(cache: Cache) -> None:
    made = virtual.prepare(cache, {"s1"}, TINY.virtual)
    assert len({clip.speaker for clip in made.clips}) == 2 * 3
    assert not any(clip.speaker.startswith("s1@") for clip in made.clips)
    voices = Source(
        made, material.prepare(made, Lite(cache.folder / "listener.safetensors")), (), TINY
    ).speakers.registers
    low, high = (voices[f"s0@{factor:.3f}"] for factor in virtual.factors("s0", TINY.virtual))
    assert 90 * 0.84 < np.exp(low.median) < 90 * 0.95
    assert 90 * 1.06 < np.exp(high.median) < 90 * 1.19


def test_a_voice_comes_from_elsewhere_in_what_its_speaker_said(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    speakers = Source(cache, found, (), TINY).speakers
    clip = cache.clips[0]
    own = len(found.voices.of(clip))
    everything = len(speakers.partials(clip.speaker))
    assert len(speakers.partials(clip.speaker, clip, 0.0, 99.0)) == everything - own


@pytest.mark.parametrize("pause", [1, 3, 5])
def test_a_resumed_run_is_an_uninterrupted_one(cache: Cache, tmp_path: Path, pause: int) -> None:
    whole = Run(recipe(cache), tmp_path / "whole")
    whole.start()
    whole.go()
    first = Run(recipe(cache), tmp_path / "halves")
    first.start()
    first.go(until=pause)
    second = Run(recipe(cache), tmp_path / "halves")
    second.resume()
    second.go()
    one, other = (run.recipe.exported.state_dict() for run in (whole, second))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_learning_lowers_the_loss_and_every_layer_hears_the_voice(cache: Cache) -> None:
    long = replace(REBUILD, steps=80, learning_rate=5e-3)
    made = recipe(cache, replace(TINY, phases=(long,)))
    told = next(made.feed(range(1)))
    figures = [made.learn(told) for _ in range(80)]
    assert float(figures[-1]["mel"]) < 0.7 * float(figures[0]["mel"])
    for block in made.state.generator.blocks:
        assert block.modulate.weight.abs().max() > 0


def test_discriminators_learn_to_tell(cache: Cache) -> None:
    phases = (replace(DISCRIMINATORS, steps=40, learning_rate=3e-3), ADVERSARIAL)
    made = recipe(cache, replace(TINY, phases=phases, discriminator_channels=8))
    learner = Learner(made.state, *[lambda: pytest.fail("nobody was to listen")] * 3)
    told = next(made.feed(range(1)))
    figures = [learner.learn(told) for _ in range(41)]
    assert float(figures[39]["discrimination"]) < 0.7 * float(figures[0]["discrimination"])
    assert {"feature", "adversarial", "mel"} <= figures[40].keys()


def test_conversions_are_judged_by_who_listens(cache: Cache) -> None:
    """Only the frozen networks are asked: the voice that is heard comes nearer to the one that was asked for."""
    weights = Weights(voice=1, content=5)
    phase = replace(REBUILD, steps=60, learning_rate=5e-3, crop=96, weights=weights, convert=True)
    made = recipe(cache, replace(TINY, phases=(phase,)))
    told = next(made.feed(range(1)))
    figures = [made.learn(told) for _ in range(60)]
    assert float(figures[-1]["voice"]) < 0.7 * float(figures[0]["voice"])
    assert float(figures[-1]["content"]) < float(figures[0]["content"])


def test_a_true_mel_says_what_was_said(cache: Cache) -> None:
    """Beside the edges of a crop as well, where the encoder hears something else than in the whole recording."""
    phase = replace(REBUILD, weights=Weights(content=1))
    made = recipe(cache, replace(TINY, phases=(phase,)))
    told = next(made.feed(range(1)))
    asked, mels, own = told.joined(converted(told)), told.mel.repeat(2, 1, 1), len(told.mel)
    assert float(made._learner._hearing(asked, mels, own)["content"]) == pytest.approx(0, abs=1e-5)


def test_conversions_take_over_the_timbre(cache: Cache) -> None:
    """Told a voice's mean spectrum and asked for no more, the network moves the source's to it."""
    phase = replace(REBUILD, steps=80, learning_rate=5e-3, batch=4, crop=96, weights=Weights(timbre=1), convert=True)
    made = recipe(cache, replace(TINY, phases=(phase,)))
    told = next(made.feed(range(1)))
    assert torch.equal(converted(told).timbre[1], told.timbre[0])
    figures = [made.learn(told) for _ in range(80)]
    assert float(figures[-1]["timbre"]) < 0.5 * float(figures[0]["timbre"])


def test_conversions_keep_the_loudness_of_bands(cache: Cache) -> None:
    """Told sub-bands and asked for no more, the network moves them between the two timbres, frame by frame."""
    phase = replace(REBUILD, steps=80, learning_rate=5e-3, batch=4, crop=96, weights=Weights(bands=1), convert=True)
    made = recipe(cache, replace(TINY, phases=(phase,)))
    told = next(made.feed(range(1)))
    figures = [made.learn(told) for _ in range(80)]
    assert float(figures[-1]["bands"]) < 0.6 * float(figures[0]["bands"])
    moved = torch.cat([told.mel, told.mel + (converted(told).timbre - told.timbre)[:, None]])
    exact = shifts(told.joined(converted(told)), moved, len(told.mel))
    assert float(exact["bands"]) == pytest.approx(0, abs=1e-5)
    late = shifts(told.joined(converted(told)), torch.cat([told.mel, moved[4:].roll(10, dims=1)]), len(told.mel))
    assert float(late["timbre"]) < 0.5 * float(late["bands"])


def test_conversions_are_moved_to_how_the_target_says_the_like(cache: Cache) -> None:
    """Told what both voices say the like with and asked for no more, the network moves one to the other."""
    weights = Weights(likes=1)
    phase = replace(REBUILD, steps=80, learning_rate=5e-3, batch=4, crop=96, weights=weights, convert=True)
    made = recipe(cache, replace(TINY, phases=(phase,)))
    told = next(made.feed(range(1)))
    figures = [made.learn(told) for _ in range(80)]
    assert float(figures[-1]["likes"]) < 0.6 * float(figures[0]["likes"])
    asked = told.joined(converted(told))
    same = replace(asked, keys=told.keys.repeat(2, 1, 1), values=told.values.repeat(2, 1, 1))
    between = (asked.timbre[4:] - asked.timbre[:4]).mean(dim=-1)[:, None, None]
    mels = torch.cat([told.mel, told.mel + between])
    assert float(shifts(same, mels, 4)["likes"]) == pytest.approx(0, abs=1e-5)
    tilted = replace(same, values=torch.cat([told.values, told.values + torch.linspace(-1, 1, MEL.bands)]))
    tilt = torch.cat([told.mel, told.mel + between + torch.linspace(-1, 1, MEL.bands)])
    assert float(shifts(tilted, tilt, 4)["likes"]) == pytest.approx(0, abs=1e-5)
    assert float(shifts(tilted, mels, 4)["likes"]) > 0.3


def test_what_is_looked_up_is_smoothed_over_time() -> None:
    jump = torch.zeros(1, 40, 2)
    jump[:, 20:, 0] = 1.0
    found = smoothed(jump)[0, :, 0]
    assert found[:16].abs().max() == 0
    assert found[16:24].diff().tolist() == pytest.approx([1 / 9] * 7)
    assert found[24:].tolist() == pytest.approx([1.0] * 16)  # the ends as well


def test_a_timbre_comes_from_elsewhere_too(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    speakers, clip = Source(cache, found, (), TINY).speakers, cache.clips[0]
    others = [other for other in cache.clips if other.speaker == clip.speaker and other.start != clip.start]
    assert [part.clip for part in speakers.elsewhere(clip.speaker, clip, 40, 72)] == others
    speakers.clips[clip.speaker] = [clip]
    own = found.mels.of(clip)
    [before, after] = (part.spectrum(found) for part in speakers.elsewhere(clip.speaker, clip, 64, 100))
    assert np.array_equal(before, own[:64])
    assert np.array_equal(after, own[100:])
    assert len(speakers.elsewhere(clip.speaker, clip, 10, len(own) - 10)[0].spectrum(found)) == len(own)


def test_what_is_looked_up_is_what_is_said_with_it(cache: Cache) -> None:
    """Content frames of a stretch come with their spectra of the whole recording, as in a pool."""
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    clip, first = cache.clips[0], int(np.ceil(20 * MEL.hop / clock.SOUND_PER_HOP))
    content, mel = (np.asarray(rows.of(clip), dtype=np.float32) for rows in (found.content, found.mels))
    keys, values = Stretch(clip, 20, 90).frames(found)
    assert len(keys) == len(values) == pytest.approx(70 * MEL.hop / clock.SOUND_PER_HOP, abs=1)
    assert np.array_equal(keys, content[first : first + len(keys)])
    assert np.array_equal(values, spectra(mel, np.arange(len(content)))[first : first + len(values)])


def test_a_converted_crop_has_its_target_s_melody(cache: Cache) -> None:
    told = next(recipe(cache).feed(range(1)))
    asked = converted(told)
    assert torch.equal(asked.voice[1], told.voice[0])
    middle = told.prosody[0, :, 0] - told.register[0, 0]
    wanted = middle / told.register[0, 1] * told.register[1, 1] + told.register[1, 0]
    assert torch.allclose(asked.prosody[0, :, 0], wanted, atol=1e-5)
    assert torch.equal(asked.content, told.content)
    assert torch.equal(asked.keys[1], told.keys[0])
    assert torch.equal(asked.values[1], told.values[0])


def test_ears_hear_what_is_said_and_by_whom(cache: Cache) -> None:
    found = material.prepare(cache, Lite(cache.folder / "listener.safetensors"))
    voice = VoiceEar(cache, found.mels)
    said = ContentEar(cache, found.mels, encoder.read(cache.folder / "listener.safetensors"))
    for clip in cache.clips[1::2]:
        mel = torch.from_numpy(np.asarray(found.mels.of(clip), dtype=np.float32))[None]
        own = np.asarray(found.voices.of(clip)[0], dtype=np.float32)
        assert float(voice(mel[:, :138])[0] @ torch.from_numpy(own)) > 0.8
        content = torch.from_numpy(np.asarray(found.content.of(clip), dtype=np.float32))[None]
        assert functional.cosine_similarity(said(mel), to_mel_frames(content), dim=-1).mean() > 0.8


NECK = replace(TINY, shape=bottleneck.Shape(features=8, neck=2, channels=8, decoder=8, postnet=4))


def test_what_is_exported_speaks_as_what_was_trained(cache: Cache) -> None:
    """Batch norm goes by what it has measured over batches, not by one utterance, whose mean is its voice."""
    made = recipe(cache, replace(NECK, phases=(REBUILD,), average=0.0))
    for told in made.feed(range(2)):
        made.learn(told)
    trained = made.state.generator.eval()
    with torch.inference_mode():
        speech = [told.said(network) for network in (made.exported, trained)]
    assert torch.equal(*speech)
    assert not made.exported.training


@pytest.mark.parametrize(("name", "settings"), [("gr0", TINY), ("autovc-f0", NECK)])
def test_the_export_is_what_the_pool_reads(cache: Cache, tmp_path: Path, name: str, settings: MelConfig) -> None:
    run = Run(recipe(cache, settings), tmp_path / "run")
    run.start()
    run.go(until=3)
    export(recipe(cache, settings), tmp_path / "run", cache, tmp_path / "toy.safetensors")
    network, content = read(tmp_path / "toy.safetensors", name)
    assert content == "contentvec-lite"
    assert network.shape == settings.shape
    card = (tmp_path / "toy.md").read_text()
    assert "2 of rebuild, 1 of discriminators" in card
    assert "driven by a stranger" in card


def test_an_export_is_mixed_with_what_it_began_with(cache: Cache, tmp_path: Path) -> None:
    run = Run(recipe(cache, TINY), tmp_path / "run")
    run.start()
    run.go(until=2)
    others = recipe(cache, replace(TINY, seed=7))
    others.write(tmp_path / "before.safetensors")
    export(recipe(cache, TINY), tmp_path / "run", cache, tmp_path / "own.safetensors")
    mix = Mix(tmp_path / "before.safetensors", 0.25)
    export(recipe(cache, TINY), tmp_path / "run", cache, tmp_path / "mixed.safetensors", mix)
    own, before, mixed = (
        read(tmp_path / f"{name}.safetensors", "gr0")[0].state_dict() for name in ("own", "before", "mixed")
    )
    for name, tensor in mixed.items():
        assert torch.allclose(tensor, 0.75 * own[name] + 0.25 * before[name], atol=2e-3), name
    assert any(not torch.equal(mixed[name], own[name]) for name in own)
    assert "a share of 0.25 of before.safetensors" in (tmp_path / "mixed.md").read_text()
    assert "mixed" not in (tmp_path / "own.md").read_text()


def test_the_width_is_the_contents_and_other_content_is_refused_from_then_on(cache: Cache) -> None:
    made = recipe(cache, replace(TINY, shape=replace(TINY.shape, features=96)))
    assert made.exported.shape == TINY.shape
    assert made.course.content == Lite(cache.folder / "listener.safetensors").key
    recipe(cache, made.course)
    with pytest.raises(BadConfigError, match="the run was on another"):
        recipe(cache, replace(TINY, content="another"))


def test_the_configurations_that_come_along_are_valid() -> None:
    neck = config.read(Path(command.__file__).with_name("autovc_f0.yml"), MelConfig)
    assert isinstance(neck.shape, bottleneck.Shape)
    settings = config.read(Path(command.__file__).with_name("gr0.yml"), MelConfig)
    assert isinstance(settings.shape, Shape)
    names = [phase.name for phase in settings.phases]
    assert names == ["rebuild", "discriminators", "adversarial", "convert", "balance", "read", "heard", "known"]


def test_the_published_dimensions_of_autovc_f0() -> None:
    """Parameters are counted from the papers' layers, not from the network."""

    def convolution(before: int, after: int) -> int:
        return 5 * before * after + after

    def norm(channels: int) -> int:
        return 2 * channels

    def lstm(before: int, after: int) -> int:
        return 4 * after * (before + after) + 2 * 4 * after

    encoder_ = convolution(80, 512) + 2 * convolution(512, 512) + 3 * norm(512)
    neck = 2 * lstm(512, 32) + 2 * lstm(64, 32)
    decoder = lstm(64 + 256 + 257 + 1, 512) + 3 * (convolution(512, 512) + norm(512))
    decoder += lstm(512, 1024) + lstm(1024, 1024) + 1024 * 80 + 80
    postnet = convolution(80, 512) + 3 * convolution(512, 512) + 4 * norm(512) + convolution(512, 80)
    settings = config.read(Path(command.__file__).with_name("autovc_f0_published.yml"), MelConfig)
    network = networks.build(replace(settings.shape, features=80))
    assert sum(weight.numel() for weight in network.parameters()) == encoder_ + neck + decoder + postnet
    assert {phase.crop % settings.shape.stride for phase in settings.phases} == {0}
