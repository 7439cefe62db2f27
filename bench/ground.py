"""Where a bench runs: a server of its own, filled databases on it, and the way the API asks them."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.string import TextLoader

from devstack.postgres import ADMIN, Cluster
from sidecar import jobs
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from psycopg import Connection
    from rich.console import Console
    from rich.table import Table

DATA_SQL = Path(__file__).with_name("data.sql")
TEMPLATE = "template_coach_os"
ADMIN_DATABASE = "postgres"
SETTINGS = (
    # What hosted Supabase gives an instance of 4 GB, as far as it decides plans and what stays in memory:
    # https://gist.github.com/egor-romanov/323e2847851bbd758081511785573c08
    "alter system set random_page_cost = 1.1",
    "alter system set effective_cache_size = '3GB'",
    "alter system set shared_buffers = '1GB'",
    "alter system set work_mem = '5MB'",
    "alter system set max_wal_size = '4GB'",
    # Nothing begins by itself while measuring: every table is vacuumed and analyzed when filled.
    "alter system set autovacuum = off",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """One run: its server, how much it stores, and where it prints."""

    cluster: Cluster
    console: Console
    orgs: int
    bookings: int
    _filled: set[str] = field(default_factory=set)

    def filled(self, *, orgs: int | None = None, bookings: int | None = None) -> str:
        """Name of a database holding so much (the run's size if not said), made when first asked for."""
        orgs, bookings = orgs or self.orgs, bookings or self.bookings
        name = f"bench_{orgs}_{bookings}"
        if name not in self._filled:
            started = time.perf_counter()
            self._template()
            self.cluster.create_database(name, TEMPLATE)
            with self.connect(name) as db, self.careless(db):
                db.execute("select set_config('bench.orgs', %s, false)", [str(orgs)])
                db.execute("select set_config('bench.bookings', %s, false)", [str(bookings)])
                db.execute(DATA_SQL.read_bytes())
                db.execute("vacuum (analyze)")
                size = db.execute("select pg_size_pretty(pg_database_size(current_database()))").fetchall()[0][0]
            self._filled.add(name)
            took = time.perf_counter() - started
            self.console.print(f"Filled {name}: {orgs:,} orgs, {bookings:,} bookings, {size}, in {took:.0f} s.")
        return name

    def configure(self) -> None:
        """Give the server its settings; it starts again for that."""
        with self.connect(ADMIN_DATABASE) as db:
            for statement in SETTINGS:
                db.execute(statement)
        self.cluster.stop()
        self.cluster.start()

    def show(self, title: str, what: Table | str) -> None:
        """Print a table or a plan."""
        self.console.print(f"[bold]{title}")
        self.console.print(what, markup=False, soft_wrap=True)

    def connect(self, database: str, role: str = ADMIN) -> Connection:
        """A connection in autocommit mode; the caller closes it."""
        return psycopg.connect(self.cluster.url(role, database), autocommit=True)

    @contextmanager
    def careless(self, db: Connection) -> Iterator[None]:
        """While filling, a crash costs only time; afterwards the server is as durable as before."""
        db.execute("alter system set fsync = off")
        db.execute("alter system set full_page_writes = off")
        db.execute("select pg_reload_conf()")
        yield
        db.execute("checkpoint")
        db.execute("alter system reset fsync")
        db.execute("alter system reset full_page_writes")
        db.execute("select pg_reload_conf()")

    def _template(self) -> None:
        if TEMPLATE not in self._filled:
            self.cluster.create_database(TEMPLATE)
            self.cluster.migrate(TEMPLATE)
            with redirect_stdout(StringIO()):  # its log line belongs to no table
                asyncio.run(jobs.install(Secret(self.cluster.url("coach_os_worker", TEMPLATE))))
            self._filled.add(TEMPLATE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request took, in seconds: all of it (with the role switch), and its statement alone; and its rows."""

    request_s: float
    statement_s: float
    rows: int


class Api:
    """One of PostgREST's connections, asking as one user: the same transaction, settings and prepared statements.

    https://docs.postgrest.org/en/stable/references/transactions.html
    """

    _SETTINGS = (
        """select set_config('search_path', '"public", "extensions"', true), set_config('role', %s, true),"""
        " set_config('request.jwt.claims', %s, true), set_config('request.method', 'GET', true),"
        " set_config('request.path', '/', true), set_config('request.headers', '{}', true),"
        " set_config('request.cookies', '{}', true)"
    )

    def __init__(self, db: Connection, role: str, user_id: UUID) -> None:
        self._db = db
        self._who = [role, json.dumps({"role": role, "sub": str(user_id)})]
        db.execute("set session authorization authenticator")
        # JSON stays text: making objects of it would cost all contenders the same and hide what differs.
        db.adapters.register_loader("json", TextLoader)

    def get(self, query: str, arguments: Sequence[str]) -> Answer:
        """Ask one of `bench.requests`, as GET does."""
        began = time.perf_counter()
        with self._request() as db:
            asked = time.perf_counter()
            [row] = db.execute(query.encode(), arguments, prepare=True).fetchall()
            answered = time.perf_counter()
        ended = time.perf_counter()
        return Answer(ended - began, answered - asked, row[1])

    def plan(self, query: str, arguments: Sequence[str]) -> str:
        """How Postgres answers it, with the rows and pages it touched."""
        with self._request() as db:
            lines = db.execute(b"explain (analyze, buffers) " + query.encode(), arguments).fetchall()
        return "\n".join(line for (line,) in lines)

    @contextmanager
    def _request(self) -> Iterator[Connection]:
        db = self._db
        db.execute("begin isolation level read committed read only", prepare=True)
        db.execute(self._SETTINGS.encode(), self._who, prepare=True)
        yield db
        db.execute("commit", prepare=True)
