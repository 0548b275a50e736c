"""Submit a job: write down all it consists of, then open it; from then on it does not depend on the client."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from voxrelay.producer import admission
from voxrelay.producer.session import Session
from voxrelay.relay import clock, flac, keys, scripts
from voxrelay.relay.errors import RefusedError, UnavailableError
from voxrelay.relay.job import Manifest
from voxrelay.relay.tensors import Floats, Tensor

# Sounds of a job that is never opened go after this.
_UNOPENED_SECONDS = 3600
# Sounds that are written together: a disk is waited for once for all of them, and memory holds no more.
_AT_ONCE = 16


def submit(
    session: Session,
    manifest: Manifest,
    *,
    sounds: Iterable[Floats] = (),
    clips: Sequence[Floats] = (),
    prepared: Mapping[str, Tensor] | None = None,
    tensors: Mapping[str, Tensor] | None = None,
) -> bool:
    """Have a relay accept a job.

    Args:
        session: the relay.
        manifest: the job.
        sounds: float32 [samples] at 16 kHz of each window.
        clips: float32 [samples] at 16 kHz of each reference, at the common level.
        prepared: what is prepared of the references already, by key.
        tensors: what the chain begins with instead of sound, by key.

    Returns:
        Whether the job is on disk: False if this Redis keeps it in memory only.

    Raises:
        RefusedError: there is no room; it says when to come back.

    """
    admission.admit(session, manifest)
    sources = keys.sources(manifest.id)
    try:
        _write_sounds(session, sources, sounds)
        _write_voice(session, manifest, clips)
        _write_prepared(session, prepared or {})
        for key, tensor in (tensors or {}).items():
            session.stores.tensors.set(key, tensor.to_bytes(), ex=session.config.lifetimes.tensors)
    except BaseException:
        session.stores.jobs.delete(sources)
        raise
    try:
        _open(session, manifest)
    except RefusedError:  # whoever is interrupted cannot know whether the job was opened: sounds go by themselves then
        session.stores.jobs.delete(sources)
        raise
    durable = admission.on_disk(session.stores.jobs)
    session.dispatch.release()
    return durable


def _open(session: Session, manifest: Manifest) -> None:
    """Make the job known, all at once, unless too much waits already."""
    config, missing = session.config, session.dispatch.missing(manifest)
    facts = [manifest.id, manifest.model_dump_json(), len(manifest.windows), len(manifest.references), manifest.client]
    limits = [config.limits.backlog, config.limits.client, config.lifetimes.jobs]
    voice = manifest.voice_id if manifest.references else ""
    script = session.stores.jobs.register_script(scripts.OPEN)
    verdict, waiting, mine = script(args=[*facts, voice, *limits, *missing])
    if verdict != b"accepted":
        raise admission.refuse(session, manifest, verdict.decode(), int(waiting), int(mine))


def _write_sounds(session: Session, key: str, sounds: Iterable[Floats]) -> None:
    packed = ((str(index), flac.pack(sound, clock.RATE)) for index, sound in enumerate(sounds))
    while group := dict(itertools.islice(packed, _AT_ONCE)):
        pipe = session.stores.jobs.pipeline()
        pipe.hset(key, mapping=group)
        pipe.expire(key, _UNOPENED_SECONDS)
        pipe.execute()


def _write_voice(session: Session, manifest: Manifest, clips: Sequence[Floats]) -> None:
    """Write the sounds of a voice unless they are there; its jobs keep them."""
    key = keys.sounds(manifest.voice_id)
    jobs = session.stores.jobs
    if not clips or (jobs.hlen(key) == len(clips) and jobs.expire(key, session.config.lifetimes.jobs)):
        return
    _write_sounds(session, key, clips)
    if jobs.hlen(key) != len(clips):
        raise UnavailableError("the sounds of the voice did not stay in Redis", hint="try again")


def _write_prepared(session: Session, prepared: Mapping[str, Tensor]) -> None:
    """Write what saved voices bring along, unless it is there."""
    pipe = session.stores.tensors.pipeline()
    for key in prepared:
        pipe.exists(key)
    for (key, tensor), there in zip(prepared.items(), pipe.execute(), strict=True):
        if not there:
            session.stores.tensors.set(key, tensor.to_bytes(), nx=True, ex=session.config.lifetimes.voices)
