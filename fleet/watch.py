"""``python watch.py COMMAND...``: run a command that must not outlive whoever holds our standard input.

redis-server cannot watch its parent itself. This file imports nothing of voxrelay: it is run as it is.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 3
_PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run ``command``; end it when standard input closes or on SIGTERM. Returns its exit code."""
    # It inherits the lock of its data folder, if there is one: nobody else starts on these files while it lives.
    child = subprocess.Popen(  # noqa: S603 - the supervisor's own command
        command,
        stdin=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs yet
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_end_with_stdin, args=(child,), daemon=True).start()
    return child.wait()


def _die_with_parent() -> None:
    """Let the kernel end the command if this watcher is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_stdin(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
