"""The Supabase-compatible API of the local stack: `@supabase/lite` on the stack's own Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (
    "node",
    f"--import={ROOT / 'devstack' / 'lite_json.mjs'}",
    str(ROOT / "node_modules" / ".bin" / "lite"),
    "--no-telemetry",
    "start",
    "--no-admin",  # else a request without a key is run as service_role
)

# It reads its port and database only from a config file; keys and secrets come from its environment.
_CONFIG = """\
[api]
port = {port}
schemas = ["public"]

[db]
driver = "postgres"
url = "env(LOCAL_API_DATABASE_URL)"

[auth]
enabled = true
site_url = "{web_url}"
jwt_secret = "env(LOCAL_API_JWT_SECRET)"
jwt_expiry = 3600
enable_signup = true
publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"
secret_key = "env(SUPABASE_SECRET_KEY)"

[auth.email]
enable_confirmations = false
"""


def write_config(folder: Path, port: int, web_url: str) -> Path:
    """Write the API's project folder and return it; the API is started with it as working directory."""
    project = folder / "api"
    (project / "supabase").mkdir(parents=True, exist_ok=True)
    (project / "supabase" / "config.toml").write_text(_CONFIG.format(port=port, web_url=web_url))
    return project
