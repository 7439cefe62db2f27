"""Where the local stack keeps its state, which ports it uses, and its generated secrets."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from devstack.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent


MAX_OFFSET = 10_000


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1. `COACH_OS_PORT_OFFSET` shifts all of them, to run a second stack."""

    api: int
    lite: int
    postgres: int
    sidecar: int
    twilio: int
    stripe: int
    web: int

    @classmethod
    def from_env(cls) -> Ports:
        """Supabase's usual ports for API and database, and Next.js' for the web."""
        text = os.environ.get("COACH_OS_PORT_OFFSET", "0")
        if not text.isdecimal() or int(text) > MAX_OFFSET:
            raise Problem(f"COACH_OS_PORT_OFFSET is not a whole number from 0 to {MAX_OFFSET}: set it so, or unset it.")
        offset = int(text)
        return cls(
            api=54321 + offset,
            lite=54320 + offset,
            postgres=54322 + offset,
            sidecar=54330 + offset,
            twilio=54331 + offset,
            stripe=54332 + offset,
            web=3000 + offset,
        )


def require_free(name: str, port: int) -> None:
    """Raise a Problem when something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Problem(
                f"Port {port}, needed for {name}, is in use: stop what uses it (`./just down` if it is an earlier "
                f"start of Coach OS), or run with COACH_OS_PORT_OFFSET=100 to shift every port."
            ) from None


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def data_dir() -> Path:
    """Folder of the local stack's state; `COACH_OS_DATA` names another one."""
    return Path(os.environ.get("COACH_OS_DATA", ROOT / ".data")).resolve()


def load_secrets(folder: Path) -> dict[str, str]:
    """Keys and passwords of this local stack, made once and kept in `secrets.env` (readable by you alone)."""
    file = folder / "secrets.env"
    text = file.read_text() if file.exists() else ""
    known = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    makers: dict[str, Callable[[], str]] = {
        "POSTGRES_PASSWORD": lambda: secrets.token_hex(16),
        "LOCAL_API_JWT_SECRET": lambda: secrets.token_urlsafe(48),
        "SUPABASE_PUBLISHABLE_KEY": lambda: "sb_publishable_" + secrets.token_urlsafe(24),
        "SUPABASE_SECRET_KEY": lambda: "sb_secret_" + secrets.token_urlsafe(24),
        "STRIPE_SECRET_KEY": lambda: "sk_test_" + secrets.token_hex(24),
        "STRIPE_WEBHOOK_SECRET": lambda: "whsec_" + secrets.token_hex(24),
        "TWILIO_ACCOUNT_SID": lambda: "AC" + secrets.token_hex(16),
        "TWILIO_AUTH_TOKEN": lambda: secrets.token_hex(16),
        "CREDENTIALS_KEYS": lambda: Fernet.generate_key().decode(),
    }
    missing = {key: make() for key, make in makers.items() if key not in known}
    if missing:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        with file.open("a") as out:
            if text and not text.endswith("\n"):
                out.write("\n")
            out.writelines(f"{key}={value}\n" for key, value in missing.items())
    return known | missing
