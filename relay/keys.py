"""Names of everything voxrelay keeps in Redis, beside Celery's own keys.

All are built from a job id, a window's number or a hash, never taken from a message. Tensors in flight
and prepared voices lie in the store of tensors, everything else in the store of jobs.
"""

from voxrelay.relay.config import Stage

ACTIVE = "vox:active"
CONTRACT = "vox:contract"
DEAD = "vox:dead"
FLIGHT = "vox:flight"
JOBS = "vox:jobs"
LANDED = "vox:landed"
REFUSED = "vox:refused"
RECONCILER = "vox:reconciler"
ROOM = "vox:room"
ROTA = "vox:rota"
TURN = "vox:turn"


def job(job_id: str) -> str:
    """Hash: manifest, state, counts and times of a job."""
    return f"vox:job:{job_id}"


def sources(job_id: str) -> str:
    """Hash: the sound of each window as FLAC, until it is collected."""
    return f"vox:job:{job_id}:sources"


def results(job_id: str) -> str:
    """Hash: what each window became, until it is collected; empty for one that was given up."""
    return f"vox:job:{job_id}:results"


def trace(job_id: str) -> str:
    """Hash: what the stages did, by ``part:index``, a line each; and who they were, by ``worker:NAME``."""
    return f"vox:job:{job_id}:trace"


def events(job_id: str) -> str:
    """Stream: one entry as each stage ends on each window."""
    return f"vox:job:{job_id}:events"


def log(job_id: str) -> str:
    """List: what happened to a job, a line each."""
    return f"vox:job:{job_id}:log"


def failures(job_id: str) -> str:
    """Hash: how often a unit failed alone, and how often it had to wait for something."""
    return f"vox:job:{job_id}:failures"


def collector(job_id: str) -> str:
    """Lease of whoever collects a job's results."""
    return f"vox:collector:{job_id}"


def dead(unit: str) -> str:
    """Hash: a unit that was given up, with its input and the reason."""
    return f"vox:dead:{unit}"


def lease(unit: str) -> str:
    """Lease of a unit in flight, held by the worker that has it."""
    return f"vox:lease:{unit}"


def window(job_id: str, index: int, name: str) -> str:
    """Tensor of a window: the output of a stage by the stage's name; its source's loudness and melody."""
    return f"vox:tensor:{job_id}:{index}:{name}"


TENSORS = "vox:tensor:*"


def voice(digest: str, name: str) -> str:
    """Tensor of a prepared reference clip, or of a blend, by content hash."""
    return f"vox:voice:{digest}:{name}"


def sounds(voice_id: str) -> str:
    """Hash: the sound of each clip of a voice as FLAC."""
    return f"vox:voice:{voice_id}:sounds"


def voice_jobs(voice_id: str) -> str:
    """Set: jobs that may still need a voice's sounds."""
    return f"vox:voice:{voice_id}:jobs"


def pool(name: str, host: str, pid: int) -> str:
    """Presence of one worker process."""
    return f"vox:pool:{name}:{host}:{pid}"


POOLS = "vox:pool:*"


def served(stage: Stage, model: str) -> str:
    """Mark that a model is served."""
    return f"vox:served:{stage}:{model}"


SERVED = "vox:served:*"


def queue(stage: Stage, model: str) -> str:
    """Celery queue of a model."""
    return f"{stage}.{model}"
