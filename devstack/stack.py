"""What the local stack consists of, and the settings each part gets."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.api import COMMAND, write_config
from devstack.layout import ROOT, Ports, data_dir, load_secrets
from devstack.postgres import ADMIN, Cluster
from devstack.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

DATABASE = "postgres"
DEMO_EMAIL = "coach@demo.coach-os.test"
DEMO_PASSWORD = "demo-coach-2026"  # noqa: S105 - printed by `./just up`; only ever seeded locally


def _require_together(first: str, *others: str) -> None:
    """A real account's key beside made-up settings would fail in ways hard to understand."""
    missing = [name for name in others if not os.environ.get(name)]
    if os.environ.get(first) and missing:
        raise Problem(f"{first} is set, so {' and '.join(missing)} must be too (see .env.example), or unset {first}.")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the stack: a shell command, its whole environment, and where it runs."""

    name: str
    command: str
    env: dict[str, str]
    folder: Path = ROOT


@dataclass(frozen=True, slots=True)
class Stack:
    """One local stack: its folder, ports and secrets."""

    folder: Path
    ports: Ports
    secrets: dict[str, str]

    @classmethod
    def here(cls) -> Stack:
        """The stack of this checkout (COACH_OS_DATA and COACH_OS_PORT_OFFSET name another)."""
        folder = data_dir()
        _require_together("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "PUBLIC_URL")
        _require_together("TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID", "PUBLIC_URL")
        return cls(folder, Ports.from_env(), load_secrets(folder))

    @property
    def cluster(self) -> Cluster:
        """Its Postgres."""
        return Cluster(self.folder / "postgres", self.ports.postgres, self.secrets["POSTGRES_PASSWORD"])

    @property
    def pidfile(self) -> Path:
        """Holds the process id of a running `./just up`."""
        return self.folder / "up.pid"

    @property
    def runfolder(self) -> Path:
        """Holds the process id of every process that a running `./just up` started."""
        return self.folder / "run"

    @property
    def api_url(self) -> str:
        """The Supabase-compatible API."""
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def sidecar_url(self) -> str:
        """The sidecar, which is also what the stand-ins call back."""
        return f"http://127.0.0.1:{self.ports.sidecar}"

    @property
    def twilio_url(self) -> str:
        """The Twilio stand-in, whose outbox is a page."""
        return f"http://127.0.0.1:{self.ports.twilio}"

    @property
    def stripe_url(self) -> str:
        """The Stripe stand-in."""
        return f"http://127.0.0.1:{self.ports.stripe}"

    @property
    def web_url(self) -> str:
        """The pages."""
        return f"http://127.0.0.1:{self.ports.web}"

    @property
    def uses_real_stripe(self) -> bool:
        """Whether the environment brings a Stripe key; else payments go to the stand-in."""
        return bool(os.environ.get("STRIPE_SECRET_KEY"))

    @property
    def uses_real_twilio(self) -> bool:
        """Whether the environment brings Twilio's credentials; else texts go to the stand-in."""
        return bool(os.environ.get("TWILIO_AUTH_TOKEN"))

    def database_url(self, role: str = "postgres") -> str:
        """Connection URL of a role of the stack's database."""
        return self.cluster.url(role, DATABASE)

    def settings(self) -> dict[str, str]:
        """Every setting of the stack's processes, less DATABASE_URL; what is set outside wins."""
        made = {key: value for key, value in self.secrets.items() if key != "POSTGRES_PASSWORD"}
        made |= {
            "LOCAL_API_DATABASE_URL": self.database_url(ADMIN),
            "SUPABASE_URL": self.api_url,
            "PUBLIC_URL": self.sidecar_url,
            "WEB_URL": self.web_url,
        }
        if not self.uses_real_stripe:
            made["STRIPE_API_BASE"] = self.stripe_url
        if not self.uses_real_twilio:
            made["TWILIO_API_BASE"] = self.twilio_url
        return made | {key: os.environ[key] for key in made.keys() & os.environ.keys()}

    def processes(self) -> list[Process]:
        """Every process besides Postgres, each with the settings it needs and no others'."""
        python = sys.executable
        npm_bin = ROOT / "node_modules" / ".bin"
        twilio = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
        stripe = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
        ours = ("CREDENTIALS_KEYS", "EXPO_ACCESS_TOKEN", "EXPO_API_BASE")
        supabase = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY")
        lite_url = f"http://127.0.0.1:{self.ports.lite}"
        parts = [
            # It prints its secret key at start and whole rows when a request fails: not for a terminal.
            self._process(
                "lite",
                COMMAND,
                ("LOCAL_API_DATABASE_URL", "LOCAL_API_JWT_SECRET", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"),
                folder=write_config(self.folder, self.ports.lite, self.web_url),
                log=self.folder / "lite.log",
            ),
            self._process(
                "api",
                [python, "-m", "devstack.gateway", "--port", self.ports.api, "--upstream", lite_url],
            ),
            self._process(
                "sidecar",
                [python, "-m", "sidecar.cli", "serve", "--port", self.ports.sidecar],
                (
                    *("PUBLIC_URL", "WEB_URL", "STRIPE_API_BASE", "TWILIO_API_BASE", "SUPABASE_SECRET_KEY"),
                    *(*supabase, *stripe, *twilio, *ours),
                ),
                DATABASE_URL=self.database_url("coach_os_sidecar"),
            ),
            self._process(
                "worker",
                [python, "-m", "sidecar.cli", "worker"],
                ("PUBLIC_URL", "STRIPE_SECRET_KEY", "STRIPE_API_BASE", "TWILIO_API_BASE", *twilio, *ours),
                DATABASE_URL=self.database_url("coach_os_worker"),
            ),
            self._process(
                "web",
                [npm_bin / "next", "start", "--hostname", "127.0.0.1", "--port", self.ports.web],
                supabase,
                folder=ROOT / "web",
            ),
        ]
        if not self.uses_real_twilio:
            command = [python, "-m", "devstack.standins.twilio", "--port", self.ports.twilio]
            parts.append(self._process("twilio", command, ("PUBLIC_URL", *twilio)))
        if not self.uses_real_stripe:
            command = [python, "-m", "devstack.standins.stripe", "--port", self.ports.stripe]
            parts.append(self._process("stripe", command, ("PUBLIC_URL", *stripe)))
        return parts

    def _process(
        self,
        name: str,
        command: Sequence[object],
        needs: tuple[str, ...] = (),
        folder: Path = ROOT,
        log: Path | None = None,
        **more: str,
    ) -> Process:
        every = self.settings()
        outside = {key: value for key, value in os.environ.items() if key not in every and key != "DATABASE_URL"}
        env = outside | {key: every[key] for key in needs if key in every} | {"PYTHONUNBUFFERED": "1"} | more
        # The shell becomes the process, so the id it notes is the process's, and its group's.
        line = f"echo $$ >{shlex.quote(str(self.runfolder / name))}; exec {shlex.join(map(str, command))}"
        if log:
            line += f" >{shlex.quote(str(log))} 2>&1"
        return Process(name, line, env, folder)
