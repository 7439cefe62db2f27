"""A real Postgres for every test: one throw-away server, one migrated template, a database per test that writes."""

from __future__ import annotations

import asyncio
import tarfile
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from devstack.layout import ROOT
from devstack.postgres import ADMIN, throw_away
from sidecar import jobs
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.postgres import Cluster

TEMPLATE = "template_coach_os"
PGTAP = ROOT / "node_modules" / "@electric-sql" / "pglite" / "dist" / "pgtap.tar.gz"
SUPPORT_SQL = ROOT / "tests" / "sql" / "support.sql"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Postgres server of this test run's own."""
    with throw_away() as server:
        yield server


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A database as `supabase db push` leaves it, with the job tables."""
    cluster.create_database(TEMPLATE)
    cluster.migrate(TEMPLATE)
    asyncio.run(jobs.install(Secret(cluster.url("coach_os_worker", TEMPLATE))))
    return TEMPLATE


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[str]:
    """Name of a migrated database for this test alone."""
    name = f"test_{uuid4().hex}"
    cluster.create_database(name, template)
    yield name
    cluster.drop_database(name)


@pytest.fixture(scope="session")
def pgtap_connection(cluster: Cluster, template: str) -> Iterator[psycopg.Connection]:
    """Where the files of tests/sql run; each rolls back what it did."""
    cluster.create_database("pgtap", template)
    with psycopg.connect(cluster.url(ADMIN, "pgtap"), autocommit=True) as connection:
        connection.execute("create schema tap")
        connection.execute("set search_path = tap")
        with tarfile.open(PGTAP) as archive:
            script = archive.extractfile("share/postgresql/extension/pgtap--1.3.5.sql")
            assert script is not None
            connection.execute(script.read())
        connection.execute("set search_path = public, tap")
        connection.execute(SUPPORT_SQL.read_bytes())
        yield connection
