"""Prepare the clips of a voice, apart from any conversion: a job without windows."""

from voxrelay.producer.collect import OnProgress, Watch
from voxrelay.producer.plan import Plan
from voxrelay.producer.session import Session
from voxrelay.producer.submit import submit
from voxrelay.relay.config import Stage
from voxrelay.relay.errors import StageError
from voxrelay.relay.job import Link
from voxrelay.relay.tensors import Content, Mel, Tensor, Voice

_KINDS: dict[Stage, type[Tensor]] = {"speaker": Voice, "content": Content, "mel": Mel}


def run_preparation(session: Session, plan: Plan, on_progress: OnProgress) -> list[dict[Stage, Tensor]]:
    """Run a job that prepares clips and return what each stage made of each.

    Raises:
        StageError: a clip could not be prepared.
        UnavailableError: the job is refused, or a pool has no worker any more.

    """
    manifest = plan.manifest
    submit(session, manifest, clips=plan.clips, prepared=plan.prepared)
    state = "cancelled"
    try:
        ended = Watch(session, manifest.id, on_progress).wait()
        if ended != "done":
            raise StageError(session.ledger.summary(manifest.id).get("error") or f"was {ended}", where=manifest.id)
        made = [_made(session, plan, index, manifest.links("reference")) for index in range(len(manifest.references))]
        state = "collected"
    finally:
        session.dispatch.end(manifest.id, state)
    return made


def _made(session: Session, plan: Plan, index: int, links: list[Link]) -> dict[Stage, Tensor]:
    """Read what was prepared of one clip."""
    blobs = session.stores.tensors.mget([plan.manifest.output_key("reference", index, link.stage) for link in links])
    if None in blobs:
        raise StageError(f"reference {index} is gone from Redis", where=plan.manifest.id, hint="try again")
    return {link.stage: _KINDS[link.stage].from_bytes(blob) for link, blob in zip(links, blobs, strict=True)}
