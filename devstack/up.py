"""`./just up`: the whole stack in one terminal, until Ctrl-C."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from honcho.manager import Manager
from honcho.printer import Printer

from devstack.db import seed, start_database
from devstack.down import running_up
from devstack.layout import ROOT, require_free
from devstack.problems import Problem, told
from devstack.stack import DEMO_EMAIL, DEMO_PASSWORD, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READY_WITHIN_S = 120


def build_web() -> None:
    """Build the pages, unless their sources are as they were at the last build."""
    stamp = ROOT / "web" / ".next" / "coach-os-built"
    sources = _web_sources()
    if stamp.exists() and stamp.read_text() == sources:
        return
    print("Building the web app ...", flush=True)
    result = subprocess.run(
        ["npm", "run", "--silent", "build", "--workspace", "web"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise Problem(f"The web app does not build:\n{result.stdout}{result.stderr}")
    stamp.write_text(sources)


def _web_sources() -> str:
    def relevant(file: Path) -> bool:
        parts = file.relative_to(ROOT / "web").parts
        generated = {".next", "node_modules", "next-env.d.ts", "tsconfig.tsbuildinfo"}
        return file.is_file() and not generated & set(parts)

    digest = hashlib.sha256((ROOT / "package-lock.json").read_bytes())
    for file in sorted(file for file in (ROOT / "web").rglob("*") if relevant(file)):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def doors(stack: Stack) -> dict[str, str]:
    """What must answer before the stack is ready: name to URL."""
    urls = {
        "the API": f"{stack.api_url}/auth/v1/health",
        "the sidecar": f"{stack.sidecar_url}/readyz",
        "the web app": f"{stack.web_url}/sign-in",
    }
    if not stack.uses_real_twilio:
        urls["the Twilio stand-in"] = f"{stack.twilio_url}/_control/health"
    if not stack.uses_real_stripe:
        urls["the Stripe stand-in"] = f"{stack.stripe_url}/_control/health"
    return urls


def await_ready(
    stack: Stack, within_s: float = READY_WITHIN_S, while_running: Callable[[], bool] = lambda: True
) -> list[str]:
    """Wait until every door answers; returns the names of those that did not in time, or when nothing runs any more."""
    waiting = doors(stack)
    deadline = time.monotonic() + within_s
    while waiting and time.monotonic() < deadline and while_running():
        waiting = {name: url for name, url in waiting.items() if not _answers(url)}
        if waiting:
            time.sleep(0.2)
    return list(waiting)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own http address
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500  # it answers; that a door wants a key is its business
    except (OSError, http.client.HTTPException):
        # Not there yet. Nonsense instead of an answer: with nobody listening, TCP can connect a port to itself.
        return False


def banner(stack: Stack) -> str:
    """Where everything is, for a person."""
    texts = "Twilio (your account)" if stack.uses_real_twilio else f"{stack.twilio_url}  (texts, also to answer them)"
    money = "Stripe (your account)" if stack.uses_real_stripe else f"{stack.stripe_url}  (stand-in)"
    return f"""
  Coach OS is ready.

    Web        {stack.web_url}
    Login      {DEMO_EMAIL}
    Password   {DEMO_PASSWORD}

    API        {stack.api_url}
    Sidecar    {stack.sidecar_url}/schema
    Texts      {texts}
    Payments   {money}
    Database   {stack.database_url()}

  A coach's day:  ./just demo  (in another terminal).  Stop:  Ctrl-C.
"""


@contextmanager
def _pidfile(stack: Stack) -> Iterator[None]:
    stack.pidfile.write_text(str(os.getpid()))
    try:
        yield
    finally:
        stack.pidfile.unlink(missing_ok=True)


def _stop_on_signals() -> None:
    """Also before the manager runs, and when the terminal is closed, everything that was started stops."""

    def stop(signum: int, _: object) -> None:
        sys.exit(128 + signum)

    signal.signal(signal.SIGTERM, stop)  # the manager takes this one over
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _manager(stack: Stack) -> Manager:
    manager = Manager(Printer(sys.stdout))
    for process in stack.processes():
        manager.add_process(process.name, process.command, env=process.env, cwd=process.folder)
    return manager


def _announce(stack: Stack) -> None:
    late = await_ready(stack)
    if late:
        print(f"coach-os: {', '.join(late)} did not answer within {READY_WITHIN_S} s; see above.", flush=True)
    else:
        print(banner(stack), flush=True)


def run(stack: Stack) -> int:
    """Start everything and stay until it is stopped; returns the exit status."""
    if (pid := running_up(stack)) is not None:
        raise Problem(f"Coach OS is running already (process {pid}): stop it with `./just down` first.")
    for name in ("api", "lite", "sidecar", "web", "twilio", "stripe"):
        require_free(name, getattr(stack.ports, name))
    _stop_on_signals()
    stack.runfolder.mkdir(exist_ok=True)
    with _pidfile(stack):
        try:
            start_database(stack)
            seed(stack)
            build_web()
            manager = _manager(stack)
            threading.Thread(target=_announce, args=[stack], daemon=True).start()
            manager.loop()
        finally:
            stack.cluster.stop()
            shutil.rmtree(stack.runfolder, ignore_errors=True)
    stopped_by_request = manager.returncode in (130, 143)
    return 0 if stopped_by_request else manager.returncode or 1


@told
def main() -> None:
    """Run until stopped."""
    sys.exit(run(Stack.here()))


if __name__ == "__main__":
    main()
