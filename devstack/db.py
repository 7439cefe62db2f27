"""`./just db`: the migrated database, and nothing else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psycopg

from devstack.layout import ROOT, require_free
from devstack.postgres import ADMIN
from devstack.problems import Problem, told
from devstack.stack import DATABASE, Stack

if TYPE_CHECKING:
    from devstack.postgres import Cluster

SEED_SQL = ROOT / "supabase" / "seed.sql"


def start_database(stack: Stack) -> Cluster:
    """Start Postgres if need be, and bring the database up to date."""
    cluster = stack.cluster
    if not cluster.running():
        require_free("Postgres", cluster.port)
        fresh = not (cluster.folder / "PG_VERSION").exists()
        print("Creating the database ..." if fresh else "Starting the database ...", flush=True)
        cluster.start()
    cluster.prepare(DATABASE)
    cluster.migrate(DATABASE)
    return cluster


def seed(stack: Stack) -> None:
    """Add the demo org with this week's bookings, as far as it is not there."""
    with psycopg.connect(stack.database_url(ADMIN), autocommit=True) as db:
        db.execute("set role postgres")
        db.execute(SEED_SQL.read_bytes())


@told
def main() -> None:
    """Start it and print its address last."""
    stack = Stack.here()
    start_database(stack)
    seed(stack)
    print("Stop it with ./just down.")
    print(f"DATABASE_URL={stack.database_url()}")


OURS = ("api", "e2e", "lite.log", "postgres", "postgres.log", "run", "secrets.env", "up.log", "up.pid")
"""What a stack's folder may hold. Anything else is somebody's, and stays."""


def forget(stack: Stack) -> None:
    """Remove everything the stack keeps; the database must be stopped."""
    try:
        for entry in (stack.folder / name for name in OURS):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        if stack.folder.exists() and not any(stack.folder.iterdir()):
            stack.folder.rmdir()
    except OSError as error:
        raise Problem(
            f"{error.filename} cannot be removed ({error.strerror}): remove it, then run this again."
        ) from None


if __name__ == "__main__":
    main()
