"""The job tables, what may enqueue into them, and the worker that empties them."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from devstack.postgres import ADMIN
from sidecar import jobs
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Processes, Standin, World

    from devstack.postgres import Cluster

BARE = "template_without_jobs"


@pytest.fixture(scope="module")
def bare_template(cluster: Cluster) -> str:
    """A database built by the migrations alone."""
    cluster.create_database(BARE)
    cluster.migrate(BARE)
    return BARE


@pytest.fixture
def bare(cluster: Cluster, bare_template: str) -> Iterator[str]:
    """One like it, for this test alone."""
    name = f"test_{uuid4().hex}"
    cluster.create_database(name, bare_template)
    yield name
    cluster.drop_database(name)


def lines(cluster: Cluster, name: str, query: str) -> list[str]:
    with psycopg.connect(cluster.url(ADMIN, name), autocommit=True) as db:
        return [row[0] for row in db.execute(query.encode())]


def job_schema(cluster: Cluster, name: str) -> list[str]:
    """Everything in schema procrastinate, by kind, name and definition."""
    return lines(
        cluster,
        name,
        """
        select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
               || a.attnotnull::text
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace = 'procrastinate'::regnamespace and c.relkind in ('r', 'c')
        union all
        select 'index ' || pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid
         where c.relnamespace = 'procrastinate'::regnamespace
        union all
        select 'constraint ' || pg_get_constraintdef(oid) || conname from pg_constraint
         where connamespace = 'procrastinate'::regnamespace
        union all
        select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'procrastinate'::regnamespace
        union all
        select 'trigger ' || pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid
         where c.relnamespace = 'procrastinate'::regnamespace and not tgisinternal
        union all
        select 'enum ' || t.typname || ' ' || e.enumlabel from pg_enum e join pg_type t on t.oid = e.enumtypid
         where t.typnamespace = 'procrastinate'::regnamespace
        order by 1
        """,
    )


STRAYS = """
    select n.nspname || '.' || o.name
      from (select relname as name, relnamespace as schema from pg_class
            union all select proname, pronamespace from pg_proc
            union all select typname, typnamespace from pg_type) as o
      join pg_namespace as n on n.oid = o.schema
     where o.name like '%procrastinate%' and n.nspname <> 'procrastinate'
"""


def worker_url(cluster: Cluster, name: str) -> Secret:
    return Secret(cluster.url("coach_os_worker", name))


# -- installing -------------------------------------------------------------------------------------------------------


async def test_four_workers_that_start_at_once_install_once(cluster: Cluster, bare: str) -> None:
    versions = await asyncio.gather(*(jobs.install(worker_url(cluster, bare)) for _ in range(4)))

    assert versions == [metadata.version("procrastinate")] * 4
    assert lines(cluster, bare, "select version from procrastinate.coach_os_installed") == versions[:1]
    tables = lines(cluster, bare, "select tablename from pg_tables where schemaname = 'procrastinate' order by 1")
    assert tables == [
        "coach_os_installed",
        "procrastinate_events",
        "procrastinate_jobs",
        "procrastinate_periodic_defers",
        "procrastinate_workers",
    ]
    assert lines(cluster, bare, STRAYS) == []


async def test_installing_again_changes_nothing(cluster: Cluster, bare: str) -> None:
    await jobs.install(worker_url(cluster, bare))
    before = job_schema(cluster, bare)

    await jobs.install(worker_url(cluster, bare))

    assert job_schema(cluster, bare) == before
    assert any("procrastinate_jobs" in line for line in before)


async def test_an_installation_that_fails_leaves_nothing_and_can_be_repeated(
    cluster: Cluster, bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = SchemaManager.get_schema()
    monkeypatch.setattr(SchemaManager, "get_schema", lambda: schema + "\nselect 1/0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await jobs.install(worker_url(cluster, bare))
    assert job_schema(cluster, bare) == []

    monkeypatch.undo()
    await jobs.install(worker_url(cluster, bare))

    assert any("procrastinate_jobs" in line for line in job_schema(cluster, bare))


async def test_an_older_installation_is_upgraded_by_the_librarys_own_migrations(cluster: Cluster, bare: str) -> None:
    """Version 3.0.0's tables, with a job waiting in them, become what a new installation has."""
    migrations = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))  # noqa: ASYNC240 - a test may wait
    with psycopg.connect(
        cluster.url("coach_os_worker", bare), options="-c search_path=procrastinate -c client_min_messages=warning"
    ) as db:
        for migration in migrations:
            if migration.name < "03.00.01":
                db.execute(migration.read_bytes())
        db.execute("insert into procrastinate_jobs (queue_name, task_name) values ('default', 'sms.send_due')")
        db.execute("create table coach_os_installed (version text primary key)")
        db.execute("insert into coach_os_installed values ('3.0.0')")

    await jobs.install(worker_url(cluster, bare))

    with_history = job_schema(cluster, bare)
    assert lines(cluster, bare, "select version from procrastinate.coach_os_installed") == [
        metadata.version("procrastinate")
    ]
    assert lines(cluster, bare, "select task_name from procrastinate.procrastinate_jobs") == ["sms.send_due"]
    functions = [line for line in with_history if line.startswith("function ")]
    assert functions == [line for line in await fresh(cluster, bare) if line.startswith("function ")]


async def fresh(cluster: Cluster, name: str) -> list[str]:
    """What a new installation of the library's present version looks like."""
    with psycopg.connect(cluster.url(ADMIN, name), autocommit=True) as db:
        db.execute("drop schema procrastinate cascade")
        db.execute("create schema procrastinate authorization coach_os_worker")
    await jobs.install(worker_url(cluster, name))
    return job_schema(cluster, name)


async def test_the_sidecar_may_not_touch_the_job_tables(world: World) -> None:
    async with await world.connect("coach_os_sidecar") as sidecar:
        for query in ("select from procrastinate.procrastinate_jobs", "delete from procrastinate.procrastinate_jobs"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await sidecar.execute(query)


# -- enqueueing from SQL ----------------------------------------------------------------------------------------------


def test_without_job_tables_nothing_is_enqueued_and_nothing_fails(cluster: Cluster, bare: str) -> None:
    with psycopg.connect(cluster.url(ADMIN, bare), autocommit=True) as db:
        db.execute("select app.defer_job('sms.send_due')")
        db.execute("insert into public.orgs (name) values ('Before the first worker')")
        db.execute("update public.sms_settings set twilio_phone_number = '+15005550006'")
        db.execute(
            "insert into public.sms_messages (org_id, to_phone, from_phone, body)"
            " select id, '+61491570156', '+15005550006', 'Hello' from public.orgs"
        )

    assert job_schema(cluster, bare) == []


WAITING = "select count(*) from procrastinate.procrastinate_jobs where task_name = %s and status = 'todo'"


def test_at_most_one_job_waits(world: World) -> None:
    org = world.org()
    for _ in range(3):
        world.message(org)

    assert world.value(WAITING, "sms.send_due") == 1

    world.db.execute("select app.defer_job('another.task')")
    assert (world.value(WAITING, "another.task"), world.value(WAITING, "sms.send_due")) == (1, 1)


def test_a_job_that_runs_does_not_stand_for_one_that_waits(world: World) -> None:
    """It may have looked before this text was there."""
    org = world.org()
    world.message(org)
    world.db.execute("set search_path = procrastinate")  # the library's triggers look there
    world.db.execute("update procrastinate_jobs set status = 'doing'")

    world.message(org)

    assert world.value(WAITING, "sms.send_due") == 1


def test_a_job_is_enqueued_only_if_what_causes_it_commits(world: World) -> None:
    org = world.org()
    with world.db.transaction(force_rollback=True):
        world.message(org)
        assert world.value(WAITING, "sms.send_due") == 1

    assert world.value(WAITING, "sms.send_due") == 0


async def test_enqueueing_waits_for_nobody(world: World) -> None:
    """A calendar that hangs in its transaction must not hold up another one's booking."""
    org, other = world.org(), world.org()
    queue = "insert into public.sms_messages (org_id, to_phone, from_phone, body) values (%s, '+1', '+2', 'Hello')"
    async with await world.connect() as first, await world.connect() as second:
        await first.execute("begin")
        await first.execute(queue, [org.id])
        async with asyncio.timeout(10):
            await second.execute(queue, [other.id])
        await first.execute("rollback")

    assert world.value(WAITING, "sms.send_due") == 1


def test_a_booking_made_by_a_coach_enqueues_its_text(world: World) -> None:
    org = world.org()
    with world.db.transaction():
        claims = f'{{"sub": "{org.owner_id}", "role": "authenticated"}}'
        world.db.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        world.db.execute("set local role authenticated")
        world.booking(org, timedelta(days=1))

    assert world.value(WAITING, "sms.send_due") == 1


# -- the worker -------------------------------------------------------------------------------------------------------

# A tick may only just have passed when the worker starts.
WITHIN_S = 75


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not happened():  # noqa: ASYNC110 - another process tells nobody of its own accord
            await asyncio.sleep(0.1)


async def test_a_worker_does_what_is_due_and_stops_when_told(
    world: World, processes: Processes, process_env: dict[str, str], twilio_standin: Standin
) -> None:
    org = world.org()
    pack_id = world.pack(org)
    booking_id = world.booking(org, timedelta(hours=-3), pack_id)
    world.db.execute("update public.sms_schedules set mins_offset = 0 where type = 'post_session'")
    environment = process_env | {"DATABASE_URL": world.url("coach_os_worker")}

    async with processes.start("worker", env=environment) as worker:
        await until(lambda: world.rows("select from public.sms_messages where status = 'sent'"))
        # And again, by a text that is queued while it runs: at once, not on the next minute.
        world.message(org, "And one more thing")
        await until(lambda: not world.rows("select from public.sms_messages where status <> 'sent'"))
        worker.process.send_signal(signal.SIGTERM)
        status = await worker.ended()

    assert status == 0, worker.text
    assert world.value("select status from public.bookings where id = %s", booking_id) == "completed"
    entry = world.one(
        "select purchase_id, delta, actor_id from public.session_ledger where booking_id = %s", booking_id
    )
    assert entry == {"purchase_id": pack_id, "delta": 1, "actor_id": None}
    follow_up, more = await twilio_standin.messages(org.client_phone)
    assert "Sessions left: 9." in follow_up["body"]
    assert more["body"] == "And one more thing"
    assert world.rows("select * from procrastinate.procrastinate_jobs where status in ('failed', 'doing')") == []


async def test_two_workers_do_everything_once(
    world: World, processes: Processes, process_env: dict[str, str], twilio_standin: Standin
) -> None:
    org = world.org()
    pack_id = world.pack(org, 20)
    for number in range(20):
        world.booking(org, timedelta(hours=-3 - number), pack_id)
    world.db.execute("update public.sms_schedules set mins_offset = 0 where type = 'post_session'")
    world.db.execute("update public.sms_settings set max_sms_per_client_per_day = 1000, max_sms_per_hour = 1000")
    environment = process_env | {"DATABASE_URL": world.url("coach_os_worker")}

    async with processes.start("worker", env=environment) as one, processes.start("worker", env=environment) as two:
        # The first may have done it all before the second has come so far that it can be asked to stop.
        await until(lambda: "jobs_installed" in one.text and "jobs_installed" in two.text)
        await until(lambda: world.value("select count(*) from public.sms_messages where status = 'sent'") == 20)
        for worker in (one, two):
            worker.process.send_signal(signal.SIGTERM)
        assert [await one.ended(), await two.ended()] == [0, 0]

    assert world.value("select sessions_used from public.client_purchases") == 20
    assert world.rows("select * from app.session_discrepancies()") == []
    assert len(await twilio_standin.messages()) == 20
