"""A Chromium for the browser tests: the machine's own, else Playwright's, else Debian's package."""

from __future__ import annotations

import os
import shutil
import subprocess

from devstack.layout import ROOT
from devstack.problems import Problem

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSERS = ROOT / "node_modules" / ".playwright"


def settings() -> dict[str, str]:
    """Environment that makes Playwright find a Chromium, after installing one if there is none."""
    if os.environ.get("CHROMIUM_PATH"):
        return {}
    if path := _installed():
        return {"CHROMIUM_PATH": path}
    print("Installing a Chromium for the browser tests ...", flush=True)
    own = {"PLAYWRIGHT_BROWSERS_PATH": str(BROWSERS)}
    command = [str(ROOT / "node_modules" / ".bin" / "playwright"), "install", "--with-deps", "chromium"]
    if os.geteuid() != 0:
        command.remove("--with-deps")  # system libraries are the administrator's
    if subprocess.run(command, env=os.environ | own, capture_output=True, check=False).returncode == 0:
        return own
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "--quiet", *step], env=environment, capture_output=True, check=False)
    if path := _installed():
        return {"CHROMIUM_PATH": path}
    raise Problem(
        "The browser tests need Chromium and none could be installed: install Chromium or Chrome, or name one with "
        "CHROMIUM_PATH=/path/to/chromium, then run this again."
    )


def _installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
