"""Ask the supervisor of this machine for new worker processes in place of the old ones."""

import secrets
import time
from collections.abc import Sequence

from voxrelay.fleet.local import Note
from voxrelay.fleet.supervised import POLL_SECONDS, Supervised, shared_supervisor
from voxrelay.relay.config import Config
from voxrelay.relay.errors import UnavailableError


def restart(config: Config, pools: Sequence[str], note: Note) -> list[str]:
    """Restart pools one after the other, by default all that run here; return them.

    Raises:
        BadConfigError: there is no such pool.
        UnavailableError: it does not run here, or its new process does not come up; the old one serves on.

    """
    supervised = shared_supervisor(config)
    running = [entry["pool"] for entry in supervised.state().get("pools", [])] if supervised.alive else []
    for pool in pools:
        config.served_by(pool)
    if missing := [pool for pool in pools if pool not in running]:
        raise UnavailableError("does not run on this machine", where=f"pool {missing[0]}", hint=f"vox up {missing[0]}")
    if not running:
        raise UnavailableError("no pools run on this machine", hint="vox up starts them")
    wanted = list(dict.fromkeys(pools or running))
    for pool in wanted:
        asked = supervised.ask_restart(pool, secrets.token_hex(8))
        try:
            _follow(supervised, pool, asked, note)
        finally:
            (supervised.folder / "restart" / pool).unlink(missing_ok=True)
    return wanted


def _follow(supervised: Supervised, pool: str, asked: str, note: Note) -> None:
    told = 0
    while True:
        if not supervised.alive:
            raise UnavailableError("the relay was stopped meanwhile", where=f"pool {pool}")
        found = supervised.state().get("restarts", {}).get(pool, {})
        if found.get("asked") == asked:
            for line in found["lines"][told:]:
                note(line)
            told = len(found["lines"])
            if found["error"]:
                raise UnavailableError(found["error"], where=f"pool {pool}")
            if found["over"]:
                return
        time.sleep(POLL_SECONDS)
