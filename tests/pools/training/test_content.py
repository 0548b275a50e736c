"""Training a content encoder: texts, alignment, disguises, resuming, and the file that comes out."""

from dataclasses import replace
from pathlib import Path

import corpora
import numpy as np
import pytest
import torch
from torch.nn import functional

from voxrelay.relay import clock
from voxrelay.training import __main__ as command
from voxrelay.training import checkpoint, config
from voxrelay.training.cache import Cache
from voxrelay.training.content import alignment, hiding, phones, validation
from voxrelay.training.content.batches import Batches
from voxrelay.training.content.config import ContentConfig, ContentPhase, Weights
from voxrelay.training.content.recipe import ContentRecipe
from voxrelay.training.content.state import Heads
from voxrelay.training.content.views import ViewConfig, Views, Warp, warped
from voxrelay.training.export import export
from voxrelay.training.run import Run
from voxrelay.training.spectra import mel_filters
from voxrelay.workers.content import bands
from voxrelay.workers.content.encoder import Encoder, Shape, read

CPU = torch.device("cpu")
SPREAD = ContentPhase(name="spread", steps=2, learning_rate=1e-3, frames=200, uniform=True)
TINY = ContentConfig(
    shape=Shape(features=8, channels=16, blocks=2, kernel=3, expansion=2),
    phases=(SPREAD, replace(SPREAD, name="align", uniform=False, pseudo=True, weights=Weights(speaker=0.1))),
    held_back={"toy": 1},
    log_every=1,
    validate_every=4,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def toy(folder: Path) -> Cache:
    return corpora.cache(folder=folder, rate=clock.RATE)


def views() -> Views:
    return Views(ViewConfig(), torch.from_numpy(mel_filters(bands.SPEC)))


def test_texts_become_phones_or_nothing() -> None:
    words = {"hello": [["HH", "AH0", "L", "OW1"]], "tom": [["T", "AA1", "M"]]}
    spelled = phones.pronounce("Hello, Tom\u2019s Tom!", words)
    assert [[phones.PHONES[phone] for phone in word] for word in spelled] == [
        ["HH", "AH", "L", "OW"],
        ["T", "AA", "M", "Z"],
        ["T", "AA", "M"],
    ]
    assert phones.pronounce("hello zyxw", words) == []
    assert phones.pronounce("hello 7", words) == []
    labels, optional = phones.states(((1, 2), (3,)))
    assert labels == [0, 1, 2, 0, 3, 0]
    assert optional == [True, False, False, True, False, True]


def test_frames_are_given_to_phones_in_their_order() -> None:
    """Seven frames of evidence; silence between the words is passed over, since no frame sounds like it."""
    truth = [0, 1, 1, 2, 3, 3, 0]
    scores = np.full((7, 4), -8.0)
    scores[np.arange(7), truth] = 0.0
    labels, optional = phones.states(((1, 2), (3,)))
    found = alignment.occupation(scores, np.array(labels), np.array(optional))
    assert found is not None
    assert found.sum(axis=1) == pytest.approx(np.ones(7))
    assert found.argmax(axis=1).tolist() == truth
    assert alignment.occupation(scores[:2], np.array(labels), np.array(optional)) is None


def test_occupation_is_the_gradient_of_the_likelihood() -> None:
    """All paths of four frames through three states, counted one by one."""
    scores = np.random.default_rng(1).normal(size=(4, 3))
    labels, optional = np.array([0, 1, 2]), np.array([True, False, False])
    paths = [p for p in np.ndindex(*(3,) * 4) if p[0] < 2 and p[-1] == 2 and set(np.diff(p)) <= {0, 1}]
    weights = np.exp([sum(scores[t, s] for t, s in enumerate(path)) for path in paths])
    wanted = np.zeros((4, 3))
    for path, weight in zip(paths, weights / weights.sum(), strict=True):
        wanted[np.arange(4), path] += weight
    assert alignment.occupation(scores, labels, optional) == pytest.approx(wanted)


def test_unwarped_bands_are_those_that_the_pool_sees() -> None:
    sound = torch.from_numpy(corpora.tone(2, 1.0, clock.RATE))
    filters = torch.from_numpy(mel_filters(bands.SPEC))
    assert torch.allclose(bands.to_log(warped(sound, Warp()) @ filters.T), views().plain(sound), atol=1e-4)


def vowel(pitch: float, formants: float) -> torch.Tensor:
    """Make half a second of pulses through three resonances, float32 [samples]."""
    time = np.arange(400) / clock.RATE
    poles = ((700, 300, 1.0), (1500, 500, 0.5), (2600, 700, 0.3))
    ringing = sum(a * np.exp(-b * time) * np.sin(2 * np.pi * formants * f * time) for f, b, a in poles)
    pulses = np.zeros(clock.RATE // 2)
    pulses[:: round(clock.RATE / pitch)] = 1.0
    return torch.from_numpy(np.convolve(pulses, ringing)[: len(pulses)]).float()


def log_power(sound: torch.Tensor, warp: Warp) -> torch.Tensor:
    return warped(sound, warp)[10:40].mean(dim=0).log()


def test_an_envelope_knows_the_vowel_and_not_its_pitch() -> None:
    low, high, other = (views().envelope(vowel(*each))[10:40].mean(dim=0) for each in ((100, 1), (190, 1), (100, 1.2)))

    def error(one: torch.Tensor, another: torch.Tensor) -> float:
        difference = one - another
        return float((difference - difference.mean()).abs().mean())

    assert error(low, high) < 0.5 * error(low, other)
    harmonics = views().plain(vowel(190, 1))[10:40].mean(dim=0)
    assert views().envelope(vowel(190, 1))[10:40].mean(dim=0).diff().abs().mean() < 0.7 * harmonics.diff().abs().mean()


@pytest.mark.parametrize("formants", [0.8, 1.25])
@pytest.mark.parametrize("pitch", [0.75, 1.0, 1.3])
def test_pitch_and_formants_move_independently(pitch: float, formants: float) -> None:
    moved, still = (log_power(vowel(115, 1.0), Warp(pitch, factor)) for factor in (formants, 1.0))
    wanted = log_power(vowel(115 * pitch, formants), Warp())

    def error(found: torch.Tensor) -> float:
        smooth = functional.avg_pool1d((found - wanted)[None, :160], 11, 5)
        return float((smooth - smooth.mean()).abs().mean())

    assert error(moved) < 0.4 * error(still)
    cepstrum = np.fft.irfft(moved.numpy())
    assert clock.RATE / (60 + cepstrum[60:220].argmax()) == pytest.approx(115 * pitch, rel=0.06)


def test_batches_follow_from_seed_and_step_and_leave_out_who_is_held_back(tmp_path: Path) -> None:
    batches = Batches(toy(tmp_path), {"s1"}, TINY, views())
    one, again, other = batches.batch(3, 200), batches.batch(3, 200), batches.batch(4, 200)
    assert torch.equal(one.views, again.views)
    assert one.views.shape != other.views.shape or not torch.equal(one.views, other.views)
    assert "s1" not in batches.speakers
    assert one.mask.numel() <= 200
    assert not torch.equal(one.views[0], one.views[1])


@pytest.mark.parametrize("pause", [1, 3])
def test_a_resumed_run_is_an_uninterrupted_one(tmp_path: Path, pause: int) -> None:
    cache = toy(tmp_path)
    whole = Run(ContentRecipe(TINY, cache, CPU), tmp_path / "whole")
    whole.start()
    whole.go()
    first = Run(ContentRecipe(TINY, cache, CPU), tmp_path / "halves")
    first.start()
    first.go(until=pause)
    second = Run(ContentRecipe(TINY, cache, CPU), tmp_path / "halves")
    second.resume()
    second.go()
    one, other = (run.recipe.exported.state_dict() for run in (whole, second))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_learning_lowers_its_losses(tmp_path: Path) -> None:
    long = replace(SPREAD, steps=60, learning_rate=3e-3, frames=400)
    recipe = ContentRecipe(replace(TINY, phases=(long,)), toy(tmp_path), CPU)
    batch = next(recipe.feed(range(1)))
    figures = [recipe.learn(batch) for _ in range(60)]
    for name in ("phones", "contrast", "envelope", "speaker"):
        assert float(figures[-1][name]) < 0.9 * float(figures[0][name]), name


def test_the_export_is_what_the_pool_reads(tmp_path: Path) -> None:
    cache = toy(tmp_path)
    run = Run(ContentRecipe(TINY, cache, CPU), tmp_path / "run")
    run.start()
    run.go(until=3)
    export(ContentRecipe(TINY, cache, CPU), tmp_path / "run", cache, tmp_path / "toy.safetensors")
    encoder = read(tmp_path / "toy.safetensors", TINY.shape)
    heard = torch.randn(1, 20, bands.BANDS) - 12
    with torch.inference_mode():
        assert (encoder(heard) - run.recipe.exported(heard)).abs().max() < 0.05
    card = (tmp_path / "toy.md").read_text()
    assert "2 of spread, 1 of align" in card
    assert "Linear probe" in card
    state = ContentRecipe(TINY, cache, CPU).state
    state.start_from(tmp_path / "toy.safetensors")
    assert torch.equal(state.encoder.mean, encoder.mean)


def test_who_speaks_is_taken_out_and_what_is_said_stays() -> None:
    """Speakers who differ by one constant each, in two directions, are told apart no more; phones are still read."""
    torch.manual_seed(0)
    encoder, heads = Encoder(replace(TINY.shape, features=24)).eval(), Heads(24, 4)
    common = 3 * torch.randn(4, 200, bands.BANDS)
    spoken = list(common + (torch.randn(4, 2) @ torch.randn(2, bands.BANDS))[:, None])
    same, unchanged = hiding.hide(encoder, heads, spoken, 0)
    assert torch.allclose(same(spoken[0][None]), encoder(spoken[0][None]), atol=1e-4)
    made, read_again = hiding.hide(encoder, heads, spoken, 3)

    def told(network: Encoder, reader: Heads) -> tuple[float, torch.Tensor]:
        with torch.inference_mode():
            content = [network(each[None])[0] for each in spoken]
            middles = torch.stack([rows.mean(dim=0) for rows in content])
            return float(middles.std(dim=0).norm()), reader.phones(torch.cat(content)).argmax(dim=-1)

    (before, wanted), (after, found), (_, unfitted) = told(encoder, heads), told(made, read_again), told(made, heads)
    assert after < 0.3 * before
    assert (found == wanted).float().mean() > 1.2 * (unfitted == wanted).float().mean()
    assert unchanged.phones.weight.shape == heads.phones.weight.shape


def test_padding_changes_nothing(tmp_path: Path) -> None:
    encoder = ContentRecipe(TINY, toy(tmp_path), CPU).exported
    short, rest = torch.randn(1, 40, bands.BANDS) - 12, torch.randn(1, 20, bands.BANDS)
    mask = torch.cat([torch.ones(1, 20), torch.zeros(1, 10)], dim=1)
    with torch.inference_mode():
        padded = encoder(torch.cat([short, rest], dim=1), mask)[:, :20]
        assert torch.allclose(padded, encoder(short), atol=1e-5)


def test_a_probe_tells_what_can_be_told() -> None:
    random = torch.Generator().manual_seed(1)
    apart = [torch.randn(200, 6, generator=random) + 8 * torch.eye(6)[i] for i in range(4)]
    alike = [torch.randn(200, 6, generator=random) for _ in range(4)]
    assert validation.probe(apart) > 0.9
    assert validation.probe(alike) < 0.4


def test_errors_of_phones_are_counted() -> None:
    assert validation.distance([1, 2, 3], [1, 3, 4]) == 2
    assert validation.distance([], [1, 2]) == 2


def test_the_configuration_that_comes_along_is_valid() -> None:
    settings = config.read(Path(command.__file__).with_name("content.yml"), ContentConfig)
    assert [phase.name for phase in settings.phases] == ["spread", "align", "learn"]
    assert checkpoint.LAST == "last.pt"
