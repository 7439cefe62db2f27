"""Several senders and workers at once: limits are counted right, reminders are written once, and nobody deadlocks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sidecar.database import Database
from sidecar.sms import reminders
from sidecar.sms.reminders import queue_due

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import Logs, Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Connection = AsyncConnection[DictRow]


async def claim(connection: Connection, limit: int = 50) -> int:
    """As a sender does."""
    cursor = await connection.execute("select * from app.claim_sms(%s, %s)", [datetime.now(UTC), limit])
    return len(await cursor.fetchall())


def limits(world: World, org: Org, per_day: int | None, per_hour: int | None) -> None:
    world.db.execute(
        "update public.sms_settings set max_sms_per_client_per_day = %s, max_sms_per_hour = %s where org_id = %s",
        [per_day, per_hour, org.id],
    )


def fates(world: World) -> dict[str, int]:
    rows = world.rows(
        "select concat_ws(' ', status, error_code) as fate, count(*) as n from public.sms_messages group by 1"
    )
    return {row["fate"]: row["n"] for row in rows}


@pytest.mark.parametrize(
    ("per_day", "per_hour", "code"), [(3, None, "client_daily_limit"), (None, 3, "org_hourly_limit")]
)
async def test_a_second_sender_waits_for_the_first_and_counts_its_texts(
    world: World, per_day: int | None, per_hour: int | None, code: str
) -> None:
    org = world.org()
    limits(world, org, per_day, per_hour)
    for number in range(6):
        world.message(org, f"text {number}")

    async with world.connected(2) as [first, second]:
        await first.execute("begin")
        assert await claim(first, 2) == 2
        waiting = asyncio.ensure_future(claim(second))
        await world.until_blocked(second)
        await first.execute("commit")
        assert await waiting == 1

    assert fates(world) == {"sending": 3, f"queued {code}": 3}


async def test_ten_senders_of_two_orgs_never_exceed_a_limit(world: World) -> None:
    orgs = [world.org(), world.org()]
    for org in orgs:
        limits(world, org, 4, 7)
        second = world.client(org, "+61491570199")
        for number in range(10):
            world.message(org, f"text {number}")
            world.db.execute(
                "insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body)"
                " values (%s, %s, '+61491570199', '+1', 'x')",
                [org.id, second],
            )

    async def send(connection: Connection) -> int:
        sent = 0
        while taken := await claim(connection, 3):
            sent += taken
        return sent

    async with world.connected(10) as connections:
        taken = await asyncio.gather(*(send(connection) for connection in connections))

    assert sum(taken) == 14
    sent = world.rows(
        "select org_id, count(*) as of_org, max(n) as of_client from ("
        "  select org_id, client_id, count(*) over (partition by client_id) as n"
        "    from public.sms_messages where status = 'sending') as m group by 1"
    )
    assert {row["org_id"]: row["of_org"] for row in sent} == {org.id: 7 for org in orgs}
    assert max(row["of_client"] for row in sent) == 4
    assert world.value("select count(*) from public.sms_messages where status = 'queued'") == 26


async def test_an_org_whose_settings_somebody_is_changing_is_sent_for(world: World) -> None:
    org = world.org()
    limits(world, org, 5, 5)
    world.message(org)

    async with world.connected(1, who=org.owner_id) as [coach], world.connected(1) as [sender]:
        await coach.execute("begin")
        await coach.execute("update public.sms_settings set enabled = true where org_id = %s", [org.id])
        async with asyncio.timeout(10):
            assert await claim(sender) == 1
        await coach.execute("rollback")


def booked_yesterday(world: World, org: Org, starts_in: timedelta) -> UUID:
    """A booking made long before its reminder's moment."""
    booking_id = world.booking(org, starts_in)
    world.db.execute("delete from public.sms_messages")
    with world.db.transaction():
        world.db.execute("set local session_replication_role = replica")
        world.db.execute("update public.bookings set text_version_at = now() - interval '9 days'")
        world.db.execute("update public.sms_schedules set timing_since = now() - interval '9 days'")
        world.db.execute("update app.reminder_progress set queued_until = now() - interval '1 hour'")
    return booking_id


async def test_many_workers_write_a_reminder_once(
    world: World, worker_pool: AsyncConnectionPool[Connection], logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "BATCH", 3)
    org = world.org()
    for minutes in range(10):
        booked_yesterday(world, org, timedelta(hours=24, minutes=-minutes))

    written = await asyncio.gather(*(queue_due(Database(worker_pool)) for _ in range(6)))

    assert sum(written) == 10
    rows = world.rows("select template_key, status, count(*) as n from public.sms_messages group by 1, 2")
    assert rows == [{"template_key": "reminder", "status": "pending", "n": 10}]
    assert "sms_reminders_queued" in logs.text
    assert org.client_phone not in logs.text
    assert await queue_due(Database(worker_pool)) == 0


async def test_a_worker_that_finds_another_at_it_leaves_it_to_that_one(world: World) -> None:
    booked_yesterday(world, world.org(), timedelta(hours=24, minutes=-1))

    async with world.connected(2) as [first, second]:
        await first.execute("begin")
        assert await world.ask(first, "select app.queue_reminders()") == 1
        async with asyncio.timeout(10):
            assert await world.ask(second, "select app.queue_reminders()") == 0
        await first.execute("rollback")
        assert await world.ask(second, "select app.queue_reminders()") == 1


async def test_a_booking_that_moves_while_its_reminder_is_written_is_not_reminded_of(world: World) -> None:
    org = world.org()
    booking_id = booked_yesterday(world, org, timedelta(hours=24, minutes=-1))

    async with world.connected(1, who=org.owner_id) as [coach], world.connected(1) as [worker]:
        await coach.execute("begin")
        await coach.execute(
            "update public.bookings set start_time = start_time + interval '3 hours',"
            " end_time = end_time + interval '3 hours' where id = %s",
            [booking_id],
        )
        assert await world.ask(worker, "select app.queue_reminders()") == 1  # by what is committed
        await coach.execute("commit")
        assert await claim(worker) == 1

    rows = world.rows("select template_key, status, error_code from public.sms_messages order by 1")
    assert [tuple(row.values()) for row in rows] == [
        ("booking_moved", "sending", None),
        ("reminder", "cancelled", "booking_moved"),
    ]


async def test_two_tabs_that_cancel_one_booking_tell_the_client_once(world: World) -> None:
    org = world.org()
    booking_id = world.booking(org, timedelta(days=2))
    cancel = "update public.bookings set status = 'cancelled' where id = %s"

    async with world.connected(2, who=org.owner_id) as [one, two]:
        await one.execute("begin")
        await one.execute(cancel, [booking_id])
        waiting = asyncio.ensure_future(two.execute(cancel, [booking_id]))
        await world.until_blocked(two)
        await one.execute("commit")
        await waiting

    assert fates(world) == {"cancelled booking_cancelled": 1, "pending": 1}


async def test_a_booking_cancelled_while_its_text_is_claimed_waits_and_does_not_undo_that(world: World) -> None:
    org = world.org()
    booking_id = world.booking(org, timedelta(days=2))

    async with world.connected(1, who=org.owner_id) as [coach], world.connected(1) as [sender]:
        await sender.execute("begin")
        assert await claim(sender) == 1
        waiting = asyncio.ensure_future(
            coach.execute("update public.bookings set status = 'cancelled' where id = %s", [booking_id])
        )
        await world.until_blocked(coach)
        await sender.execute("commit")
        await waiting

    rows = world.rows("select template_key, status from public.sms_messages order by 1")
    assert [tuple(row.values()) for row in rows] == [
        ("booking_cancelled", "pending"),
        ("booking_confirmation", "sending"),
    ]


async def test_a_link_clicked_in_two_tabs_is_sent_once(world: World) -> None:
    org = world.org()
    send = "select public.send_portal_link(%s, 'https://app.example.com/portal')"

    async with world.connected(2, who=org.owner_id) as [one, two]:
        await one.execute("begin")
        first = await world.ask(one, send, org.client_id)
        waiting = asyncio.ensure_future(world.ask(two, send, org.client_id))
        await world.until_blocked(two)
        await one.execute("commit")
        assert await waiting == first

    assert fates(world) == {"pending": 1}
