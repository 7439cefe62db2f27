"""What the local stack consists of, and the settings each part gets."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from devstack.api import write_config
from devstack.layout import ROOT, Ports, data_dir, load_secrets
from devstack.postgres import ADMIN, Cluster

DATABASE = "postgres"
DEMO_EMAIL = "coach@demo.coach-os.test"
DEMO_PASSWORD = "demo-coach-2026"  # noqa: S105 - printed by `./just up`; only ever seeded locally


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
        """The environment of the stack's processes, less DATABASE_URL; what is set outside wins."""
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
        """Every process besides Postgres."""
        base = {**os.environ, **self.settings(), "PYTHONUNBUFFERED": "1"}
        coach_os = f"{sys.executable} -m sidecar.cli"
        npm_bin = ROOT / "node_modules" / ".bin"
        lite_url = f"http://127.0.0.1:{self.ports.lite}"
        api_folder = write_config(self.folder, self.ports.lite, self.web_url)
        parts = [
            Process("lite", f"{npm_bin}/lite --no-telemetry start --no-admin", base, api_folder),
            Process("api", f"{sys.executable} -m devstack.gateway --port {self.ports.api} --upstream {lite_url}", base),
            Process(
                "sidecar",
                f"{coach_os} serve --port {self.ports.sidecar}",
                base | {"DATABASE_URL": self.database_url("coach_os_sidecar")},
            ),
            Process("worker", f"{coach_os} worker", base | {"DATABASE_URL": self.database_url("coach_os_worker")}),
            Process(
                "web",
                f"{npm_bin}/next start --hostname 127.0.0.1 --port {self.ports.web}",
                base,
                ROOT / "web",
            ),
        ]
        for name, port, real in (
            ("twilio", self.ports.twilio, self.uses_real_twilio),
            ("stripe", self.ports.stripe, self.uses_real_stripe),
        ):
            if not real:
                command = f"{sys.executable} -m devstack.standins.{name} --port {port}"
                parts.append(Process(name, command, base))
        return parts
