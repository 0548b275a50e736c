"""Training a vocoder: phases, resuming, figures, and the file that comes out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import corpora
import numpy as np
import pytest
import torch
import yaml

from voxrelay.relay.errors import BadConfigError, UnavailableError
from voxrelay.relay.tensors import MEL, Mel
from voxrelay.training import __main__ as command
from voxrelay.training import checkpoint, config, curve, phases
from voxrelay.training.cache import Cache
from voxrelay.training.crops import CropConfig
from voxrelay.training.export import export
from voxrelay.training.run import Run
from voxrelay.training.spectra import MARGIN, LogMel
from voxrelay.training.state import TrainingError
from voxrelay.training.vocoder.config import VocoderConfig, VocoderPhase, Weights
from voxrelay.training.vocoder.learning import Batch, Learner
from voxrelay.training.vocoder.recipe import VocoderRecipe
from voxrelay.training.vocoder.state import VocoderState
from voxrelay.workers.vocoder import hifigan
from voxrelay.workers.vocoder.generator import VARIANTS, Generator

CPU = torch.device("cpu")
CROP = 4352
RECONSTRUCTION = VocoderPhase(
    name="reconstruction", steps=2, batch=1, crop=CROP, learning_rate=1e-3, weights=Weights(mel=45, stft=10)
)
DISCRIMINATORS = VocoderPhase(name="discriminators", steps=2, batch=1, crop=CROP, learning_rate=1e-3, discriminate=True)
ADVERSARIAL = replace(
    RECONSTRUCTION,
    name="adversarial",
    learning_rate=1e-4,
    weights=Weights(mel=45, feature=2, adversarial=1),
    discriminate=True,
)
TINY = VocoderConfig(
    phases=(RECONSTRUCTION, DISCRIMINATORS, ADVERSARIAL),
    held_back={"toy": 1},
    periods=(2, 3),
    period_channels=(2, 4),
    resolution_channels=2,
    log_every=1,
    validate_every=3,
    checkpoint_minutes=60,
)


@pytest.fixture(autouse=True)
def _one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXRELAY_HOME", str(tmp_path / "home"))
    torch.set_num_threads(1)


def run_of(cache: Cache, out: Path) -> Run:
    return Run(VocoderRecipe(TINY, cache, CPU), out)


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten a checkpoint."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, inner in items for k, v in leaves(inner, f"{name}/{key}").items()}
    return {name: value}


def same(one: Any, other: Any) -> bool:
    ones, others = leaves(one), leaves(other)
    assert ones.keys() == others.keys()
    return all(torch.equal(v, others[k]) if isinstance(v, torch.Tensor) else v == others[k] for k, v in ones.items())


def sound(size: int = 1, predicted: int = 0, asked: int = 0) -> Batch:
    """Crops of tones, the last with their mels as if predicted, and the mels of others, as if asked for."""
    tones = [torch.from_numpy(corpora.tone(i, 0.5)[: CROP + 2 * MARGIN]) for i in range(size + asked)]
    mels = LogMel().inner(torch.stack(tones))
    return Batch(torch.stack(tones[:size]), mels[size - predicted : size], mels[size:])


@pytest.mark.parametrize("pause", [1, 3, 4, 5])
def test_a_resumed_run_is_an_uninterrupted_one(tmp_path: Path, pause: int) -> None:
    cache = corpora.cache()
    whole = run_of(cache, tmp_path / "whole")
    whole.start()
    whole.go()
    first = run_of(cache, tmp_path / "halves")
    first.start()
    first.go(until=pause)
    second = run_of(cache, tmp_path / "halves")
    second.resume()
    assert second.state.step == pause
    second.go()
    assert same(whole.state.to_dict(), second.state.to_dict())
    assert same(checkpoint.load(tmp_path / "whole" / "last.pt"), checkpoint.load(tmp_path / "halves" / "last.pt"))


def test_a_run_leaves_its_course_and_the_end_of_every_phase(tmp_path: Path) -> None:
    run = run_of(corpora.cache(), tmp_path)
    run.start()
    run.go()
    assert {path.name for path in tmp_path.iterdir()} == {
        "last.pt",
        "reconstruction.pt",
        "discriminators.pt",
        "adversarial.pt",
        "curve.jsonl",
        "config.yml",
    }
    assert [record["step"] for record in curve.read(tmp_path / "curve.jsonl", "held_back")] == [0, 3, 6]
    assert [record["step"] for record in curve.read(tmp_path / "curve.jsonl", "adversarial")] == [5, 6]
    held = curve.read(tmp_path / "curve.jsonl", "held_back")[0]
    assert {"mel", "mel/toy", "stft"} <= held["held_back"].keys()
    with pytest.raises(BadConfigError, match="holds a run already"):
        run.start()


def test_a_run_that_is_told_to_end_ends_with_a_checkpoint(tmp_path: Path) -> None:
    run = run_of(corpora.cache(), tmp_path)
    run.start()
    run.end()
    run.go()
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 0


def test_each_phase_moves_its_own_networks() -> None:
    state = VocoderState(TINY, CPU)
    learner = Learner(state)
    moved = []
    for _ in range(6):
        before = {name: _sum(state, name) for name in ("generator", "discriminators", "average")}
        learner.learn(sound())
        moved.append({name for name, value in before.items() if _sum(state, name) != value})
    assert moved[:2] == [{"generator", "average"}] * 2
    assert moved[2:4] == [{"discriminators"}] * 2
    assert moved[4:] == [{"generator", "average", "discriminators"}] * 2


def _sum(state: VocoderState, name: str) -> float:
    return float(sum(p.detach().double().abs().sum() for p in getattr(state, name).parameters()))


def test_a_tiny_overfit_lowers_the_loss() -> None:
    long = replace(RECONSTRUCTION, steps=40)
    learner = Learner(VocoderState(replace(TINY, phases=(long,)), CPU))
    losses = [float(learner.learn(sound(2))["mel"]) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


def test_discriminators_learn_to_tell_and_the_generator_hears_them() -> None:
    phases = (replace(DISCRIMINATORS, steps=30, learning_rate=3e-3), replace(ADVERSARIAL, steps=2))
    learner = Learner(VocoderState(replace(TINY, phases=phases, period_channels=(8, 16)), CPU))
    figures = [learner.learn(sound(2)) for _ in range(32)]
    assert float(figures[29]["discrimination"]) < 0.7 * float(figures[0]["discrimination"])
    assert {"feature", "adversarial", "mel", "discrimination"} <= figures[31].keys()
    assert all(torch.isfinite(value) for value in figures[31].values())


def test_sound_is_never_rounded_to_bfloat16() -> None:
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        assert VocoderState(TINY, CPU).generator(torch.zeros(1, MEL.bands, 9)).dtype == torch.float32


def test_full_discriminators_keep_optimiser_states_small() -> None:
    count = sum(
        p.numel() for p in VocoderState(VocoderConfig(phases=(RECONSTRUCTION,)), CPU).discriminators.parameters()
    )
    assert count < 3_000_000


def test_a_gradient_that_is_not_finite_is_refused_before_it_spoils_anything() -> None:
    state = VocoderState(TINY, CPU)
    before = _sum(state, "generator")
    with pytest.raises(TrainingError, match="step 0"):
        Learner(state).learn(replace(sound(), sound=sound().sound * float("nan")))
    assert _sum(state, "generator") == before


def test_the_learning_rate_rises_and_falls() -> None:
    phase = replace(RECONSTRUCTION, steps=100, warmup=10, final=0.1)
    assert phase.rate_at(0) == pytest.approx(1e-4, rel=1e-3)
    assert phase.rate_at(9) == pytest.approx(1e-3, rel=0.03)
    assert phase.rate_at(100) == pytest.approx(1e-4)


def test_a_run_starts_from_published_weights_and_refuses_others(tmp_path: Path) -> None:
    torch.manual_seed(5)
    v3, v2 = (Generator(VARIANTS[name]).state_dict() for name in ("v3", "v2"))
    checkpoint.save({"generator": v3}, tmp_path / "v3.pt")
    checkpoint.save({"generator": v2}, tmp_path / "v2.pt")
    state = VocoderState(TINY, CPU)
    state.start_from(tmp_path / "v3.pt")
    assert same(state.generator.state_dict(), v3)
    assert same(state.average.state_dict(), v3)
    with pytest.raises(BadConfigError, match="v3"):
        state.start_from(tmp_path / "v2.pt")


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path) -> None:
    state = VocoderState(TINY, CPU)
    with pytest.raises(BadConfigError, match="another configuration"):
        VocoderState(replace(TINY, periods=(2, 5, 7)), CPU).from_dict(state.to_dict())
    with pytest.raises(UnavailableError, match="no checkpoint"):
        checkpoint.load(tmp_path / "last.pt")


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    checkpoint.save({"step": 1}, tmp_path / "last.pt")
    with pytest.raises(Exception, match="pickle"):
        checkpoint.save({"step": lambda: None}, tmp_path / "last.pt")
    assert checkpoint.load(tmp_path / "last.pt") == {"step": 1}


def test_the_export_is_what_the_pool_loads(tmp_path: Path) -> None:
    cache = corpora.cache()
    run = run_of(cache, tmp_path / "run")
    run.start()
    run.go(until=3)
    export(VocoderRecipe(TINY, cache, CPU), tmp_path / "run", cache, tmp_path / "toy.pt")
    mel = np.random.default_rng(1).normal(-5, 2, (20, MEL.bands)).astype(np.float32)
    (made,) = hifigan.load(str(tmp_path / "toy.pt"), "v3").vocode([Mel(mel)])
    with torch.inference_mode():
        wanted = run.state.average(torch.from_numpy(mel.T.copy())[None])[0].numpy()
    assert np.abs(made.data - wanted).max() < 1e-2
    assert (tmp_path / "toy.pt").stat().st_size < 3_100_000
    card = (tmp_path / "toy.md").read_text()
    assert "2 of reconstruction, 1 of discriminators." in card
    assert "| toy | 5 | 1 |" in card
    assert "CC0-1.0" in card
    assert "random weights" in card


def test_the_command_line_trains_resumes_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = str(corpora.write(tmp_path, {"ann": "train", "bob": "dev", "cid": "train", "dee": "train"}))
    (tmp_path / "tiny.yml").write_text(yaml.safe_dump(config.plain(TINY)))
    checkpoint.save({"generator": Generator(VARIANTS["v3"]).state_dict()}, tmp_path / "init.pt")
    train = [
        "train",
        "vocoder",
        "--data",
        table,
        "--config",
        str(tmp_path / "tiny.yml"),
        "--out",
        str(tmp_path / "run"),
    ]
    assert command.main([*train, "--init", str(tmp_path / "init.pt"), "--source", "me, MIT", "--until", "1"]) == 0
    assert command.main([*train, "--resume"]) == 0
    assert command.main(train) == 4
    assert "--resume" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "origin.json").read_text())["source"] == "me, MIT"
    export_to = ["export", "vocoder", "--data", table, "--out", str(tmp_path / "run"), "--to", str(tmp_path / "out.pt")]
    assert command.main(export_to) == 0
    assert "Began with me, MIT" in (tmp_path / "out.md").read_text()


def test_configurations_name_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        "phases: [{name: a, steps: 1, batch: 1, crop: 5000, learning_rate: 1, asked: 1}]\nspeed: 9\n"
    )
    with pytest.raises(BadConfigError, match=r"(?s)phases\.0\.crop: .*256.*asked.*equal to 2.*speed"):
        config.read(tmp_path / "bad.yml", VocoderConfig)


def test_the_configuration_that_comes_along_is_valid() -> None:
    settings = config.read(Path(command.__file__).with_name("vocoder.yml"), VocoderConfig)
    assert [phase.name for phase in settings.phases] == ["reconstruction", "discriminators", "adversarial"]
    assert settings.phases[0].judged is False
    assert phases.at(settings.phases, 43_000)[0].judged is True
    assert settings.crops == CropConfig(**config.plain(settings.crops))
