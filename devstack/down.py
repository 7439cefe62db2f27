"""`./just down`: stop the stack, whichever terminal started it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
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
    except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
        return None
    return pid if _is_ours(pid) else None


def _is_ours(pid: int) -> bool:
    """A process id may have been given to somebody else since it was noted."""
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return any(mark in shown.stdout for mark in ("devstack", "sidecar.cli", "bin/lite", "bin/next", "next-server"))


def stop_left_over(stack: Stack) -> bool:
    """Stop what a `./just up` left running that was itself killed; False when there is nothing."""
    stopped = False
    for note in sorted(stack.runfolder.glob("*")):
        with suppress(ValueError, ProcessLookupError, PermissionError):
            stopped = _stop_group(int(note.read_text())) or stopped
        note.unlink(missing_ok=True)
    return stopped


def _stop_group(pid: int) -> bool:
    # Every process of the stack leads a group of its own; a stranger with its old id hardly does.
    if not _is_ours(pid) or os.getpgid(pid) != pid:
        return False
    os.killpg(pid, signal.SIGTERM)
    if not _within(PATIENCE_S, lambda: not _is_ours(pid)):
        os.killpg(pid, signal.SIGKILL)
    return True


def stop_everything(stack: Stack) -> bool:
    """Stop the processes, then the database; False when nothing was running."""
    stopped = stop_up(stack)
    stopped = stop_left_over(stack) or stopped
    if stack.cluster.running():
        stack.cluster.stop()
        stopped = True
    stack.pidfile.unlink(missing_ok=True)
    return stopped


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
    """Stop whatever runs."""
    print("Stopped." if stop_everything(Stack.here()) else "Nothing was running.")


if __name__ == "__main__":
    main()
