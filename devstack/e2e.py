"""`./just test-e2e`: the coach's day and the browser tests, on a new stack that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from devstack import chromium
from devstack.db import forget
from devstack.down import stop_everything
from devstack.layout import ROOT
from devstack.problems import Problem, told
from devstack.stack import DEMO_EMAIL, DEMO_PASSWORD, Stack
from devstack.up import await_ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORT_OFFSET = 1000
"""So that a stack in use goes on undisturbed."""


@contextmanager
def _running(stack: Stack) -> Iterator[None]:
    log = stack.folder / "up.log"
    with log.open("wb") as out:
        up = subprocess.Popen([sys.executable, "-m", "devstack.up"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            late = await_ready(stack, while_running=lambda: up.poll() is None)
            if late:
                raise Problem(f"{', '.join(late)} did not answer; the end of the stack's output:\n{_end_of(log)}")
            yield
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(timeout=60)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])


@told
def main() -> None:
    """Run both; exit 1 when either fails."""
    os.environ |= {
        "COACH_OS_DATA": str(ROOT / ".data" / "e2e"),
        "COACH_OS_PORT_OFFSET": str(int(os.environ.get("COACH_OS_PORT_OFFSET", "0")) + PORT_OFFSET),
    }
    for provider in ("STRIPE_SECRET_KEY", "TWILIO_AUTH_TOKEN"):  # tests never reach the real ones
        os.environ.pop(provider, None)
    browser = chromium.settings()
    earlier = Stack.here()
    stop_everything(earlier)
    forget(earlier)
    stack = Stack.here()
    with _running(stack):
        day = subprocess.run([sys.executable, "-m", "devstack.demo"], cwd=ROOT, check=False)
        tests = subprocess.run(
            [
                str(ROOT / "node_modules" / ".bin" / "playwright"),
                "test",
                "--config",
                str(ROOT / "tests" / "e2e" / "playwright.config.ts"),
            ],
            cwd=ROOT,
            env=os.environ
            | browser
            | {"WEB_URL": stack.web_url, "COACH_EMAIL": DEMO_EMAIL, "COACH_PASSWORD": DEMO_PASSWORD},
            check=False,
        )
    if day.returncode or tests.returncode:
        sys.exit(1)
    forget(stack)


if __name__ == "__main__":
    main()
