"""The local Supabase-compatible API over one test database, called with the client library of the pages.

Tests take it as the fixture `api`. It answers as hosted Supabase does, but for what devstack/gateway.py says it cannot
put right: as_hosted() does the rest.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from devstack.api import COMMAND, write_config
from devstack.layout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 30
PASSWORD = "a-password-of-the-tests"
SUPABASE_JS = ROOT / "tests" / "py" / "supabase_js.mjs"


@dataclass(frozen=True)
class Result:
    """What a call of supabase-js resolves to."""

    data: Any
    error: dict[str, Any] | None
    status: int | None
    count: int | None


@dataclass(frozen=True)
class Person:
    """Somebody with a key of the API and, once signed up, a session."""

    api: LocalApi
    name: str
    key: str
    id: UUID | None = None

    def send(self, *chain: Sequence[Any]) -> Result:
        """One call, as the pages chain it: `send(("from", "orgs"), ("select", "id"), ("single",))`."""
        return self.api.ask(self.name, self.key, chain)

    def rpc(self, function: str, **arguments: Any) -> Result:  # noqa: ANN401 - any JSON
        """Call a function of the API."""
        return self.send(("rpc", function, arguments))


class LocalApi:
    """The running API: its address, its keys, and people who call it."""

    def __init__(self, url: str, env: Mapping[str, str], browser: subprocess.Popen[str]) -> None:
        self.url = url
        self.publishable_key = env["SUPABASE_PUBLISHABLE_KEY"]
        self.secret_key = env["SUPABASE_SECRET_KEY"]
        self._browser = browser
        self.visitor = Person(self, "visitor", self.publishable_key)
        """Has not signed in."""
        self.service = Person(self, "service", self.secret_key)

    def ask(self, who: str, key: str, chain: Sequence[Sequence[Any]]) -> Result:
        """Send one call and wait for its result."""
        assert self._browser.stdin is not None
        assert self._browser.stdout is not None
        self._browser.stdin.write(json.dumps({"who": who, "key": key, "chain": chain}, default=str) + "\n")
        self._browser.stdin.flush()
        line = self._browser.stdout.readline()
        assert line, f"supabase-js has ended with status {self._browser.wait(PATIENCE_S)}"
        return Result(**json.loads(line))

    def person(self, name: str) -> Person:
        """Somebody new, who has signed up and then signed in with their password."""
        unknown = Person(self, name, self.publishable_key)
        login = {"email": f"{name}@example.com".replace(" ", "-"), "password": PASSWORD}
        signed_up = unknown.send(("auth",), ("signUp", login))
        assert signed_up.error is None, signed_up.error
        signed_in = unknown.send(("auth",), ("signInWithPassword", login))
        assert signed_in.error is None, signed_in.error
        return Person(self, name, self.publishable_key, UUID(signed_in.data["user"]["id"]))


def as_hosted(found: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """A row in which what is a number in `like`, the same row as Postgres writes it, is one and no string."""
    return {
        name: float(value) if isinstance(value, str) and isinstance(like.get(name), int | float) else value
        for name, value in found.items()
    }


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], folder: Path, log: Path, env: Mapping[str, str]) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own http address
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return  # it answers; that it wants a key is its business
        except OSError:
            pass
        assert time.monotonic() < deadline, f"the local API does not answer:\n{log.read_text(errors='replace')}"
        time.sleep(0.05)


@contextmanager
def serving(database_url: str, folder: Path) -> Iterator[LocalApi]:
    """Serve a migrated database, given as administrator, until leaving; the API writes into `folder`.

    It changes the database's grants, so tests of rights need another one.
    """
    env = {
        "LOCAL_API_DATABASE_URL": database_url,
        "LOCAL_API_JWT_SECRET": secrets.token_urlsafe(48),
        "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_" + secrets.token_urlsafe(24),
        "SUPABASE_SECRET_KEY": "sb_secret_" + secrets.token_urlsafe(24),
    }
    lite_port, port = free_port(), free_port()
    upstream, url = f"http://127.0.0.1:{lite_port}", f"http://127.0.0.1:{port}"
    project = write_config(folder, lite_port, url)
    gateway = [sys.executable, "-m", "devstack.gateway", "--port", str(port), "--upstream", upstream]
    log = folder / "lite.log"
    with ExitStack() as stack:
        stack.enter_context(_running(COMMAND, project, log, env))
        stack.enter_context(_running(gateway, ROOT, folder / "gateway.log", {}))
        _await_answer(f"{url}/auth/v1/health", log)
        browser = stack.enter_context(
            subprocess.Popen(
                ["node", str(SUPABASE_JS), url], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
        yield LocalApi(url, env, browser)
