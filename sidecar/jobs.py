"""Scheduled work: what runs on the minute, and the job tables it runs from.

Procrastinate delivers at least once; every task here is safe to run twice or twice at once, because the database
functions they call decide by state. So a killed worker, two workers or a repeated tick change nothing.
"""

from __future__ import annotations

import asyncio
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import procrastinate
import psycopg
import structlog
from procrastinate.schema import SchemaManager
from psycopg import sql

from sidecar.automations.firing import fire_due, score_risk
from sidecar.bookings.completion import complete_past
from sidecar.clients.push import Expo, check_receipts
from sidecar.money.fees import StripeReader, fetch_due
from sidecar.money.inbox import retry_due
from sidecar.money.reconciliation import reconcile_due
from sidecar.sms.reconcile import reconcile as reconcile_texts
from sidecar.sms.reminders import queue_due
from sidecar.sms.sender import TwilioSender, send_due

if TYPE_CHECKING:
    from sidecar.database import Database
    from sidecar.settings import Secret

log = structlog.get_logger()

SCHEMA = "procrastinate"
_INSTALL_LOCK = 7_061_203
"""Advisory lock: of several workers that start together, one installs and the others wait."""

_PIN_SEARCH_PATHS = """
    do $$
    declare
      v_function regprocedure;
    begin
      for v_function in select oid from pg_catalog.pg_proc where pronamespace = 'procrastinate'::regnamespace loop
        execute format('alter function %s set search_path = procrastinate, pg_temp', v_function);
      end loop;
    end;
    $$
"""
"""The library's functions find their tables by search_path; pinned, they do so whoever calls (splinter 0011)."""


def create_jobs(
    database_url: Secret, database: Database, sender: TwilioSender, reader: StripeReader, expo: Expo
) -> procrastinate.App:
    """The Procrastinate app with every task, bound to what the tasks need."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=database_url.reveal(),
            kwargs={"options": f"-c search_path={SCHEMA}", "application_name": "coach-os jobs"},
        )
    )

    completing = asyncio.Lock()

    @app.periodic(cron="* * * * *")
    @app.task(name="bookings.complete_past", queueing_lock="bookings.complete_past", pass_context=False)
    async def complete_past_bookings(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        # A long backlog outlasts a minute. The run under way also takes what has come due since; another one a minute
        # beside it would leave no place for texts. Not a lock of the job's: a killed worker never lets go of that.
        if not completing.locked():
            async with completing:
                await complete_past(database)

    @app.periodic(cron="* * * * *")
    @app.task(name="sms.tick", queueing_lock="sms.tick")
    async def tick_sms(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        await reconcile_texts(database, sender)
        await send_due(database, sender)

    @app.periodic(cron="* * * * *")
    @app.task(name="sms.queue_reminders", queueing_lock="sms.queue_reminders")
    async def queue_reminders(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        await queue_due(database)

    @app.periodic(cron="* * * * *")
    @app.task(name="clients.push_receipts", queueing_lock="clients.push_receipts")
    async def check_push_receipts(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        await check_receipts(database, expo)

    @app.periodic(cron="* * * * *")
    @app.task(name="money.retry_events", queueing_lock="money.retry_events")
    async def retry_events(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        await retry_due(database)

    fetching = asyncio.Lock()

    @app.periodic(cron="* * * * *")
    @app.task(name="money.fetch_fees", queueing_lock="money.fetch_fees")
    async def fetch_fees(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        # While Stripe is slow, one run at a time: the others' places are for texts.
        if not fetching.locked():
            async with fetching:
                await fetch_due(database, reader)

    reconciling = asyncio.Lock()

    @app.periodic(cron="* * * * *")
    @app.task(name="money.reconcile", queueing_lock="money.reconcile")
    async def reconcile(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        # Looked for each minute, done once a day: a day on which nothing ran is made up for. One run at a time here.
        if not reconciling.locked():
            async with reconciling:
                await reconcile_due(database, reader)

    @app.periodic(cron="* * * * *")
    @app.task(name="money.expire_checkouts", queueing_lock="money.expire_checkouts")
    async def expire_checkouts(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        await database.value("expire_checkouts")

    firing = asyncio.Lock()

    @app.periodic(cron="* * * * *")
    @app.task(name="automations.fire", queueing_lock="automations.fire")
    async def fire_automations(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        # A long backlog outlasts a minute, as with bookings above.
        if not firing.locked():
            async with firing:
                await fire_due(database, None)

    scoring = asyncio.Lock()

    @app.periodic(cron="* * * * *")
    @app.task(name="automations.score_risk", queueing_lock="automations.score_risk")
    async def score_clients(timestamp: int) -> None:  # noqa: ARG001 - state decides, not the slot
        if not scoring.locked():
            async with scoring:
                await score_risk(database)

    @app.task(name="sms.send_due")
    async def send_due_now() -> None:
        await send_due(database, sender)

    return app


async def install(database_url: Secret) -> str:
    """Install the job tables, or bring them to the library's version; returns that version.

    Runs the library's own SQL: its whole schema on an empty one, else the migrations it added since. Safe to repeat
    and to run from several processes at once. Source: https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
    """
    target = metadata.version("procrastinate")
    migrations = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))  # noqa: ASYNC240 - once, at start
    async with await psycopg.AsyncConnection.connect(
        database_url.reveal(), options=f"-c search_path={SCHEMA}", application_name="coach-os jobs install"
    ) as connection:
        await connection.execute("select pg_advisory_xact_lock(%s)", [_INSTALL_LOCK])
        await connection.execute(
            sql.SQL("create table if not exists {}.coach_os_installed (version text primary key)").format(
                sql.Identifier(SCHEMA)
            )
        )
        row = await (await connection.execute("select version from coach_os_installed")).fetchone()
        if row is None:
            await connection.execute(SchemaManager.get_schema().encode())
            await connection.execute("insert into coach_os_installed values (%s)", [target])
        elif _version(row[0]) < _version(target):
            for migration in migrations:
                if _version(row[0]) < _version(migration.name) <= _version(target):
                    await connection.execute(migration.read_bytes())
            await connection.execute("update coach_os_installed set version = %s", [target])
        await connection.execute(_PIN_SEARCH_PATHS)
    log.info("jobs_installed", version=target)
    return target


def _version(text: str) -> tuple[int, ...]:
    """Leading numbers of `3.5.0` or `03.04.00_01_pre_….sql`, to compare by."""
    leading = re.match(r"\d+(\.\d+)*", text)
    if leading is None:
        raise ValueError(f"not a version: {text}")
    return tuple(int(part) for part in leading.group().split("."))
