"""Installs the Node packages of `package-lock.json` into the checkout, when they are not there already."""

from __future__ import annotations

import hashlib
import subprocess

from devstack.layout import ROOT
from devstack.problems import Problem, told

STAMP = ROOT / "node_modules" / ".coach-os-installed"


@told
def main() -> None:
    """Run `npm ci` unless the last one was for this very lock file."""
    wanted = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("Installing the Node packages into node_modules ...", flush=True)
    result = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=ROOT, check=False)
    if result.returncode != 0:
        raise Problem("npm could not install the packages (see above): check the network, then run this again.")
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
