"""`./just down`: stop the stack, whichever terminal started it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.problems import Problem, told
from devstack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 30


def running_up(stack: Stack) -> int | None:
    """Process id of a running `./just up` of this stack, or None."""
    try:
        pid = int(stack.pidfile.read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    # A process id may have been given to somebody else since; on Linux we can tell.
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists() and b"devstack" not in command.read_bytes():
        return None
    return pid


def stop_up(stack: Stack) -> bool:
    """Ask a running `./just up` to stop and wait until it has; False when none runs."""
    pid = running_up(stack)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    if not _within(PATIENCE_S, lambda: running_up(stack) is None):
        raise Problem(f"`./just up` (process {pid}) does not stop: end it with `kill -9 {pid}`, then run this again.")
    return True


def _within(seconds: float, happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.1)
    return False


@told
def main() -> None:
    """Stop the processes, then the database."""
    stack = Stack.here()
    stopped = stop_up(stack)
    if stack.cluster.running():
        stack.cluster.stop()
        stopped = True
    with suppress(FileNotFoundError):
        stack.pidfile.unlink()
    print("Stopped." if stopped else "Nothing was running.")


if __name__ == "__main__":
    main()
