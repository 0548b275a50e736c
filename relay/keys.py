"""Names of everything voxrelay keeps in Redis, beside Celery's own keys.

All are built from a job id, a window's number or a hash, never taken from a message.
"""

from voxrelay.relay.config import Stage

ACTIVE = "vox:active"
CONTRACT = "vox:contract"
FLIGHT = "vox:flight"
RECONCILER = "vox:reconciler"
ROTA = "vox:rota"


def job(job_id: str) -> str:
    """Hash: manifest, state and times of a job."""
    return f"vox:job:{job_id}"


def trace(job_id: str) -> str:
    """Hash: what each stage did, by ``part:index:stage``."""
    return f"vox:job:{job_id}:trace"


def events(job_id: str) -> str:
    """Stream: one entry as each stage ends on each window."""
    return f"vox:job:{job_id}:events"


def references(job_id: str) -> str:
    """List: references of a job that are still to be released."""
    return f"vox:job:{job_id}:references"


def taken(job_id: str) -> str:
    """Hash: who took a unit and has not given it up."""
    return f"vox:job:{job_id}:taken"


def failures(job_id: str) -> str:
    """Hash: how often a unit failed."""
    return f"vox:job:{job_id}:failures"


def lease(unit: str) -> str:
    """Lease of a unit in flight, held by the worker that has it."""
    return f"vox:lease:{unit}"


def window(job_id: str, index: int, name: str) -> str:
    """Tensor of a window: ``audio``, or the output of a stage by the stage's name."""
    return f"vox:tensor:{job_id}:{index}:{name}"


def voice(digest: str, name: str) -> str:
    """Tensor of a prepared reference clip, or of a blend, by content hash."""
    return f"vox:voice:{digest}:{name}"


def voice_users(digest: str) -> str:
    """Set: jobs that use a reference clip."""
    return f"vox:voice:{digest}:users"


def pool(name: str, host: str, pid: int) -> str:
    """Presence of one worker process."""
    return f"vox:pool:{name}:{host}:{pid}"


POOLS = "vox:pool:*"


def queue(stage: Stage, model: str) -> str:
    """Celery queue of a model."""
    return f"{stage}.{model}"
