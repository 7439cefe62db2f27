"""`./just db`: the migrated database, and nothing else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psycopg

from devstack.layout import ROOT, require_free
from devstack.postgres import ADMIN
from devstack.problems import told
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


def forget(stack: Stack) -> None:
    """Remove everything the stack keeps; the database must be stopped."""
    shutil.rmtree(stack.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
