"""Who has a unit is noted, for the case that it dies with it."""

from collections.abc import Iterator

import pytest

from voxrelay.producer.session import Session
from voxrelay.relay import config as configuration
from voxrelay.relay import keys
from voxrelay.relay.dispatch import Dispatch, Lease, UnitId
from voxrelay.workers.content.stage import STAGE
from voxrelay.workers.runtime.desk import Desk

JOB = "20250101-000000-0a1b2c3d"
HOLDER = "content.mfcc here 1"


@pytest.fixture
def dispatch(redis_server: str) -> Iterator[Dispatch]:
    """Two windows of a job are in flight."""
    session = Session.open(configuration.load({"REDIS_URL": redis_server}))
    jobs, units = session.stores.jobs, {str(UnitId(JOB, "window", index)): 0.0 for index in range(2)}
    jobs.hset(keys.job(JOB), mapping={"state": "running", "lifetime": 60})
    jobs.zadd(keys.FLIGHT, units)
    yield session.dispatch
    jobs.delete(keys.job(JOB), f"{keys.job(JOB)}:taken", keys.FLIGHT, *(keys.lease(unit) for unit in units))
    session.close()


def lease(dispatch: Dispatch, index: int, *, only: bool) -> Lease:
    found = dispatch.take(UnitId(JOB, "window", index), HOLDER, only=only)
    assert found is not None
    return found


def noted(dispatch: Dispatch) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = dispatch.jobs.hgetall(f"{keys.job(JOB)}:taken")
    return found


def test_what_an_idle_worker_takes_it_has_alone_from_then_on(dispatch: Dispatch) -> None:
    first = lease(dispatch, 0, only=True)
    assert list(noted(dispatch).values()) == [f"alone {HOLDER}".encode()]
    assert 0 < dispatch.jobs.ttl(f"{keys.job(JOB)}:taken") <= 60
    dispatch.jobs.hset(keys.job(JOB), "state", "cancelled")
    assert dispatch.begin([first]), "what was known when it was taken is a moment old"


def test_what_a_busy_worker_takes_it_has_once_it_computes(dispatch: Dispatch) -> None:
    first, second = lease(dispatch, 0, only=True), lease(dispatch, 1, only=False)
    assert len(noted(dispatch)) == 1
    assert dispatch.begin([second])
    assert len(noted(dispatch)) == 2
    assert dispatch.begin([first, second])
    assert set(noted(dispatch).values()) == {f"batched {HOLDER}".encode()}
    dispatch.jobs.hset(keys.job(JOB), "state", "cancelled")
    assert not dispatch.begin([second])


@pytest.mark.parametrize("batch", [1, 2])
def test_what_may_yet_share_a_batch_is_not_said_to_be_alone(dispatch: Dispatch, batch: int) -> None:
    """What fails in company is computed once more by itself, which its worker then has to say."""
    pools = dispatch.config.pools
    pools = {**pools, "content": pools["content"].model_copy(update={"batch": batch})}
    config = dispatch.config.model_copy(update={"pools": pools})
    desk = Desk(config, "content", STAGE, {})
    with desk._lease(UnitId(JOB, "window", 0), "mfcc"):
        assert len(noted(dispatch)) == (batch == 1)
        with desk._lease(UnitId(JOB, "window", 1), "mfcc"):
            assert len(noted(dispatch)) == (batch == 1)
    desk.stores.close()
