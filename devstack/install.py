"""Installs the Node packages of `package-lock.json` into the checkout, when they are not there already."""

from __future__ import annotations

import hashlib
import subprocess

from devstack.layout import ROOT
from devstack.problems import Problem, told

STAMP = ROOT / "node_modules" / ".coach-os-installed"


@told
def main() -> None:
    """Install what the lock file says, unless the last installation was for this very lock file."""
    wanted = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("Installing the Node packages into node_modules ...", flush=True)
    # Not `npm ci`: it wants every platform's binaries in the lock file, and a lock file holds only those that the
    # registry had when it was made. `--no-save` leaves the lock file as it is.
    command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
    result = subprocess.run(command, cwd=ROOT, check=False)
    if result.returncode != 0:
        raise Problem("npm could not install the packages (see above): check the network, then run this again.")
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
