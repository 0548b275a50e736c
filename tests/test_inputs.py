"""What stages read of a window, out of a real Redis."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from voxrelay.producer.session import Session
from voxrelay.relay import config as configuration
from voxrelay.relay import flac, keys
from voxrelay.relay.errors import BadInputError, MissingError
from voxrelay.relay.job import Link, Manifest, Source, Span
from voxrelay.relay.tensors import Audio, Loudness, Mel, Melody
from voxrelay.workers.content.stage import STAGE as CONTENT
from voxrelay.workers.runtime.inputs import Inputs
from voxrelay.workers.runtime.stage import Unit
from voxrelay.workers.vocoder.stage import STAGE as VOCODER

SAMPLES = 81_920
CHAIN = [Link(stage="content", model="mfcc"), Link(stage="mel", model="gr0"), Link(stage="vocoder", model="hifigan")]
SOUND = np.random.default_rng(0).standard_normal(SAMPLES).astype(np.float32) * np.linspace(0, 0.1, SAMPLES, dtype="f4")
MEL = Mel(np.zeros((441, 80), dtype=np.float16))


@pytest.fixture
def session(redis_server: str) -> Iterator[Session]:
    opened = Session.open(configuration.load({"REDIS_URL": redis_server}))
    yield opened
    opened.close()


@pytest.fixture
def unit(session: Session) -> Iterator[Unit]:
    source = Source(name="any", rate=16_000, channels=1, seconds=5.12)
    window = Span(start=0, length=SAMPLES, keep_from=0, keep_to=SAMPLES)
    manifest = Manifest(id="20250101-000000-0a1b2c3d", contract="", chain=CHAIN, windows=[window], source=source)
    session.stores.jobs.hset(keys.sources(manifest.id), "0", flac.pack(SOUND, 16_000))
    yield Unit(manifest, "window", 0)
    session.stores.jobs.delete(keys.sources(manifest.id))
    session.stores.tensors.delete(*manifest.window_keys(0))


def read(session: Session, unit: Unit) -> Inputs:
    """Have the content stage read the window."""
    inputs = Inputs(session.stores, session.config, unit)
    CONTENT.read(unit, inputs, SimpleNamespace())
    return inputs


def test_how_loud_a_window_is_is_measured_once(session: Session, unit: Unit) -> None:
    tensors, left = session.stores.tensors, read(session, unit).beside
    assert list(left) == [unit.manifest.loudness_key(0)]
    tensors.mset({**left, unit.output_key("mel"): MEL.to_bytes()})
    inputs = Inputs(session.stores, session.config, unit)
    found = VOCODER.read(unit, inputs, SimpleNamespace()).source
    assert found is not None
    assert len(found.data) == 256
    assert found.data[250] > 10 * found.data[20] > 0
    assert inputs.bytes_read < len(MEL.to_bytes()) + 2000, "its sound was not read again"
    tensors.delete(*left)
    again = VOCODER.read(unit, Inputs(session.stores, session.config, unit), SimpleNamespace()).source
    assert again is not None
    np.testing.assert_array_equal(again.data, found.data)


def test_a_chain_that_ends_before_the_sound_measures_nothing(session: Session, unit: Unit) -> None:
    short = Unit(unit.manifest.model_copy(update={"chain": CHAIN[:1]}), "window", 0)
    assert not read(session, short).beside


def test_of_two_tensors_each_is_missed_and_checked(session: Session, unit: Unit) -> None:
    mel, loud = unit.output_key("mel"), unit.manifest.loudness_key(0)
    inputs, tensors = Inputs(session.stores, session.config, unit), session.stores.tensors
    with pytest.raises(MissingError, match=":mel is not in Redis"):
        inputs.both((Mel, mel), (Loudness, loud))
    tensors.set(mel, MEL.to_bytes())
    with pytest.raises(MissingError, match=":loudness is not in Redis"):
        inputs.both((Mel, mel), (Loudness, loud))
    tensors.set(loud, Loudness(np.zeros(257, dtype=np.float32)).to_bytes())
    with pytest.raises(BadInputError, match=r"shape \[257\], at most \[256\]"):
        inputs.both((Mel, mel), (Loudness, loud))
    tensors.set(loud, MEL.to_bytes())
    with pytest.raises(BadInputError, match="loudness"):
        inputs.both((Mel, mel), (Loudness, loud))


class Excitable:
    """A vocoder that a waveform can be lent to."""

    def vocode(self, mels: Sequence[Mel]) -> list[Audio]:
        """Vocode."""
        raise NotImplementedError

    def vocode_excited(self, mels: Sequence[Mel], excitations: Sequence[Audio]) -> list[Audio]:
        """Vocode."""
        raise NotImplementedError


def test_a_waveform_is_lent_where_a_melody_was_followed_and_the_model_takes_one(session: Session, unit: Unit) -> None:
    def lent(model: Excitable | SimpleNamespace) -> Audio | None:
        return VOCODER.read(unit, Inputs(session.stores, session.config, unit), model).excitation

    tensors = session.stores.tensors
    tensors.mset({**read(session, unit).beside, unit.output_key("mel"): MEL.to_bytes()})
    assert lent(Excitable()) is None
    melody = Melody(np.full((256, 2), 150, dtype=np.float32))
    tensors.set(unit.manifest.melody_key(0), melody.to_bytes())
    assert lent(SimpleNamespace()) is None
    found = lent(Excitable())
    assert found is not None
    assert len(found.data) == 441 * 256
    for shape in ((255, 2), (256, 1)):
        tensors.set(unit.manifest.melody_key(0), Melody(np.full(shape, 150, dtype=np.float32)).to_bytes())
        with pytest.raises(BadInputError, match="a melody of shape"):
            lent(Excitable())
    tensors.set(unit.manifest.melody_key(0), Melody(np.zeros((257, 2), dtype=np.float32)).to_bytes())
    with pytest.raises(BadInputError, match=r"shape \[257, 2\], at most \[256, 2\]"):
        lent(Excitable())


def test_a_survey_is_measured_once_and_asked_for_once(session: Session, unit: Unit) -> None:
    jobs, record = session.stores.jobs, keys.job(unit.manifest.id)
    inputs = Inputs(session.stores, session.config, unit)
    assert inputs.surveyed("levels") is None
    assert inputs.survey("levels", lambda sounds: [float(len(sounds[0].data))]) == [SAMPLES]
    assert jobs.hget(record, "survey:levels") == b"[81920.0]"
    assert Inputs(session.stores, session.config, unit).surveyed("levels") == [SAMPLES]
    jobs.delete(record)
    again = Inputs(session.stores, session.config, unit)
    assert again.survey("levels", lambda _: pytest.fail("it was measured")) == [SAMPLES]
    jobs.hset(record, "survey:other", "[NaN]")
    with pytest.raises(BadInputError, match="not a few numbers"):
        again.surveyed("other")
    jobs.delete(record)
