"""What a sweep of the housekeeper takes away, and what not."""

from types import SimpleNamespace

from voxrelay.producer.session import Session
from voxrelay.relay import config as configuration
from voxrelay.relay import keys
from voxrelay.workers.runtime.housekeeper import Housekeeper

SUBMITTED, CRASHED = "20250101-000000-00000000", "20250101-000000-00000001"


def test_tensors_of_a_job_that_is_being_submitted_are_left(redis_server: str) -> None:
    session = Session.open(configuration.load({"REDIS_URL": redis_server}))
    desk = SimpleNamespace(
        stores=session.stores, config=session.config, dispatch=session.dispatch, host="here", process=1, held={}
    )
    housekeeper, tensors = Housekeeper(desk), session.stores.tensors  # type: ignore[arg-type]
    names = {job: keys.window(job, 0, "mel") for job in (SUBMITTED, CRASHED)}
    for name in names.values():
        tensors.set(name, b"written before the job is opened")
    housekeeper._sweep()
    assert tensors.exists(*names.values()) == 2
    session.stores.jobs.hset(keys.job(SUBMITTED), "state", "running")
    housekeeper._sweep()
    assert tensors.exists(names[SUBMITTED])
    assert not tensors.exists(names[CRASHED]), "it is still unknown: what a crash has left"
    session.stores.jobs.hset(keys.job(SUBMITTED), "state", "cancelled")
    housekeeper._sweep()
    assert not tensors.exists(names[SUBMITTED])
    session.close()
