"""A small process between us and an engine, which ends the engine when we end, however we end.

Run as a script: ``python keeper.py GRACE_S DIRECTORY_TO_REMOVE COMMAND...`` (an empty directory name: nothing to
remove). It writes the engine's process id as the only line on standard error, and ends with the engine's exit status.

Standard input is a pipe whose other end our process alone holds. The kernel closes that end when our process is gone,
even by SIGKILL, on every system; Linux's parent-death signal alone would not do, since it fires when the *thread* that
started the child ends, and engines are started from worker threads. It is the second net here, for the case that this
process is killed: its main thread lives as long as it does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def main(arguments: list[str]) -> int:
    """The engine's exit status, once it ended; its temporary directory is removed by then."""
    grace_s, temporary, command = float(arguments[0]), arguments[1], arguments[2:]
    try:
        engine = subprocess.Popen(  # noqa: S603 - the command is our own recipe
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
        )
        sys.stderr.write(f"{engine.pid}\n")
        sys.stderr.flush()
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: engine.kill())
        threading.Thread(target=_stop_with_owner, args=(engine, grace_s), daemon=True).start()
        return engine.wait()
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop_with_owner(engine: subprocess.Popen[bytes], grace_s: float) -> None:
    # Returns when the pipe ends, thus with our owner. Not sys.stdin: its lock, held by this thread, breaks our own end.
    os.read(0, 1)
    if grace_s:
        engine.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            engine.wait(grace_s)
    engine.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
