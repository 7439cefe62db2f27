"""A session is deducted once, however many complete it at the same moment, and whoever fails doing so."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from uuid import UUID

    from conftest import Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

    Connection = AsyncConnection[DictRow]


async def at_once(*work: Coroutine[object, object, object]) -> list[object]:
    return list(await asyncio.gather(*work))


def assert_deducted(world: World, pack_id: UUID, bookings: list[UUID]) -> None:
    """One entry for each of these bookings, none for any other, and a counter that says so."""
    entries = world.rows(
        "select booking_id, delta from public.session_ledger where purchase_id = %s and delta <> 0", pack_id
    )
    assert sorted((entry["booking_id"], entry["delta"]) for entry in entries) == [(b, 1) for b in sorted(bookings)]
    used = world.value("select sessions_used from public.client_purchases where id = %s", pack_id)
    assert used == len(bookings)
    assert world.rows("select * from app.session_discrepancies()") == []


async def test_twenty_who_complete_one_booking_deduct_once(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org)
    booking_id = world.booking(org, timedelta(hours=-3), pack_id)

    async with world.connected(10, org.owner_id) as tabs, world.connected(10) as workers:
        await at_once(
            *(world.complete(tab, booking_id) for tab in tabs), *(world.complete_past(worker) for worker in workers)
        )

    assert world.value("select status from public.bookings") == "completed"
    assert_deducted(world, pack_id, [booking_id])
    assert world.value("select count(*) from public.sms_messages where template_key = 'follow_up'") == 1


async def test_tabs_that_also_ask_for_the_session_of_their_booking_deduct_once(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org)
    booking_id = world.booking(org, timedelta(hours=-3), pack_id)

    async def tab(connection: Connection) -> bool:
        await world.complete(connection, booking_id)
        return await world.use(connection, pack_id, booking_id)

    async with world.connected(15, org.owner_id) as tabs, world.connected(5) as workers:
        answers = await at_once(*(tab(each) for each in tabs), *(world.complete_past(worker) for worker in workers))

    assert answers[:15] == [True] * 15
    assert_deducted(world, pack_id, [booking_id])


async def test_workers_share_many_bookings_without_missing_or_repeating_one(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org, 60)
    bookings = [world.booking(org, timedelta(hours=-3 - number), pack_id) for number in range(60)]

    async with world.connected(5) as workers, world.connected(5, org.owner_id) as tabs:
        await at_once(
            *(world.complete_past(w) for w in workers),
            *(world.complete(t, b) for t, b in zip(tabs, bookings, strict=False)),
        )
        while await world.complete_past(workers[0]):
            pass

    assert_deducted(world, pack_id, bookings)


async def test_eighty_who_want_one_of_ten_sessions(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org, 10)

    async with world.connected(80, org.owner_id) as tabs:
        answers = await at_once(*(world.use(tab, pack_id) for tab in tabs))

    assert (answers.count(True), answers.count(False)) == (10, 70)
    found = world.one("select sessions_used, sessions_remaining from public.client_purchases")
    assert found == {"sessions_used": 10, "sessions_remaining": 0}
    after = world.rows("select sessions_used_after as n from public.session_ledger order by 1")
    assert [row["n"] for row in after] == list(range(1, 11))
    assert world.rows("select * from app.session_discrepancies()") == []


async def test_completing_and_taking_back_at_once_never_miscounts(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org)
    booking_id = world.booking(org, timedelta(hours=-3), pack_id)

    async def set_status(connection: Connection, status: str) -> None:
        await connection.execute("update public.bookings set status = %s where id = %s", [status, booking_id])

    async with world.connected(20, org.owner_id) as tabs:
        await at_once(*(set_status(tab, ("completed", "confirmed")[number % 2]) for number, tab in enumerate(tabs)))

    status = world.value("select status from public.bookings")
    used = world.value("select sessions_used from public.client_purchases")
    assert used == (1 if status == "completed" else 0)
    assert world.rows("select * from app.session_discrepancies()") == []


async def test_the_last_session_goes_to_one_of_two_bookings(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org, 2)
    bookings = [world.booking(org, timedelta(hours=-3 - number), pack_id) for number in range(2)]
    # A coach may take from the pack by hand what bookings hold.
    world.db.execute("update public.client_purchases set sessions_total = 1 where id = %s", [pack_id])

    async with world.connected(2, org.owner_id) as tabs:
        await at_once(*(world.complete(tab, booking_id) for tab, booking_id in zip(tabs, bookings, strict=True)))

    # Both sessions took place; the one the pack could not pay for is a completed booking without an entry.
    assert [row["status"] for row in world.rows("select status from public.bookings")] == ["completed"] * 2
    [entry] = world.rows("select booking_id from public.session_ledger where delta <> 0")
    assert_deducted(world, pack_id, [entry["booking_id"]])
    uncovered = world.rows("select uncovered_reason from public.bookings where id <> %s", entry["booking_id"])
    assert uncovered == [{"uncovered_reason": "no_session_left"}]


# -- one waits for another --------------------------------------------------------------------------------------------


@asynccontextmanager
async def one_behind_another(
    world: World, user_id: UUID, work: Callable[[Connection], Coroutine[object, object, object]]
) -> AsyncIterator[tuple[object, Connection, asyncio.Task[object]]]:
    """What the first, whose transaction is still open, was told; the first; and the second, which waits for it."""
    async with world.connected(2, user_id) as (first, second):
        await first.execute("begin")
        told = await work(first)
        waiting = asyncio.ensure_future(work(second))
        await world.until_blocked(second)
        yield told, first, waiting


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_the_last_session_is_taken_by_who_commits(world: World, end: str) -> None:
    org = world.org()
    pack_id = world.pack(org, 1)

    async with one_behind_another(world, org.owner_id, lambda tab: world.use(tab, pack_id)) as (told, first, second):
        await first.execute(end)
        answer = await second

    assert (told, answer) == (True, end == "rollback")
    assert world.value("select sessions_used from public.client_purchases") == 1
    assert world.value("select count(*) from public.session_ledger") == 1
    assert world.rows("select * from app.session_discrepancies()") == []


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_booking_completed_behind_another_is_deducted_once(world: World, end: str) -> None:
    org = world.org()
    pack_id = world.pack(org)
    booking_id = world.booking(org, timedelta(hours=-3), pack_id)

    async with one_behind_another(world, org.owner_id, lambda tab: world.complete(tab, booking_id)) as (
        _,
        first,
        second,
    ):
        await first.execute(end)
        await second

    assert world.value("select status from public.bookings") == "completed"
    assert_deducted(world, pack_id, [booking_id])


async def test_a_worker_passes_by_what_a_tab_holds_and_finds_it_the_next_time(world: World) -> None:
    org = world.org()
    pack_id = world.pack(org, 10)
    held, free = (world.booking(org, timedelta(hours=-3 - number)) for number in range(2))
    world.db.execute("update public.bookings set purchase_id = %s where id = %s", [pack_id, held])

    async with world.connected(1, org.owner_id) as (tab,), world.connected(1) as (worker,):
        await tab.execute("begin")
        await world.complete(tab, held)
        assert await world.complete_past(worker) == 1
        await tab.execute("rollback")
        assert await world.complete_past(worker) == 1

    assert {row["id"] for row in world.rows("select id from public.bookings where status = 'completed'")} == {
        held,
        free,
    }
    assert_deducted(world, pack_id, [held])


async def test_a_tab_whose_credit_another_one_is_taking_waits_for_the_other_ones(world: World) -> None:
    """Two tabs of one user on one pack: the second takes the first one's credit, and leaves its own in exchange."""
    org = world.org()
    pack_id = world.pack(org)
    one, two = (world.booking(org, timedelta(hours=-3 - number), pack_id) for number in range(2))

    async with world.connected(2, org.owner_id) as (first, second):
        await world.complete(first, one)
        await second.execute("begin")
        await world.complete(second, two)
        assert await world.use(second, pack_id)
        told = asyncio.ensure_future(world.use(first, pack_id))
        await world.until_blocked(first)
        await second.execute("commit")
        assert await told

    assert_deducted(world, pack_id, [one, two])
    assert world.value("select count(*) from app.completion_credits") == 0


async def test_whoever_cancels_while_others_complete_is_heard_or_comes_too_late(world: World) -> None:
    """Cancelled first, a booking stays cancelled and costs nothing; completed first, it is given back."""
    org = world.org()
    pack_id = world.pack(org, 20)
    bookings = [world.booking(org, timedelta(hours=-3 - number), pack_id) for number in range(10)]

    async def cancel(connection: Connection) -> None:
        for booking_id in bookings:
            await connection.execute("update public.bookings set status = 'cancelled' where id = %s", [booking_id])

    async def complete(tab: Connection) -> None:
        for booking_id in bookings:
            with suppress(psycopg.ProgrammingError):  # the tab has not heard of the cancellation
                await world.complete(tab, booking_id)
                await world.use(tab, pack_id)

    async with (
        world.connected(3, org.owner_id) as cancellers,
        world.connected(3, org.owner_id) as tabs,
        world.connected(3) as workers,
    ):
        await at_once(
            *(complete(tab) for tab in tabs),
            *(cancel(connection) for connection in cancellers),
            *(world.complete_past(worker) for worker in workers),
        )

    assert world.rows("select id from public.bookings where status <> 'cancelled'") == []
    assert world.value("select count(*) from public.bookings where app.paid_by(id) is not null") == 0
    assert world.value("select sessions_used from public.client_purchases") == 0
    assert world.rows("select * from app.session_discrepancies()") == []


async def test_an_org_that_is_being_changed_holds_up_no_other(world: World) -> None:
    """A change of its time zone, left open, keeps an org's rows from being referred to."""
    changing, other = world.org(), world.org()
    late = world.booking(changing, timedelta(hours=-5), world.pack(changing))
    free = world.booking(other, timedelta(hours=-3), world.pack(other))

    async with world.connected(1, changing.owner_id) as (coach,), world.connected(1) as (worker,):
        await coach.execute("begin")
        await coach.execute("update public.orgs set timezone = 'Australia/Perth' where id = %s", [changing.id])
        async with asyncio.timeout(10):
            assert await world.complete_past(worker) == 1
        done = "select id from public.bookings where status = 'completed'"
        assert [row["id"] for row in world.rows(done)] == [free]
        await coach.execute("commit")
        assert await world.complete_past(worker) == 1

    assert {row["id"] for row in world.rows(done)} == {late, free}


async def test_two_that_wait_for_each_other_end_with_one_deduction_each(world: World) -> None:
    """Each holds what the other needs next: Postgres ends one of them, and its repetition succeeds."""
    org = world.org()
    one, two = world.pack(org, 1), world.pack(org, 1)

    async with world.connected(2, org.owner_id) as (first, second):
        for connection in (first, second):
            await connection.execute("begin")
        assert await world.use(first, one)
        assert await world.use(second, two)
        waiting = asyncio.ensure_future(world.use(first, two))
        await world.until_blocked(first)
        results = await asyncio.gather(waiting, world.use(second, one), return_exceptions=True)
        [loser] = [result for result in results if isinstance(result, BaseException)]
        assert isinstance(loser, psycopg.errors.DeadlockDetected)
        survivor, victim = (first, second) if results[1] is loser else (second, first)
        await survivor.execute("commit")
        await victim.execute("rollback")
        # The survivor has both sessions; nothing of the victim's is left, and nothing is left to take.
        assert [await world.use(victim, pack_id) for pack_id in (one, two)] == [False, False]

    used = world.rows("select sessions_used from public.client_purchases")
    assert [row["sessions_used"] for row in used] == [1, 1]
    assert world.rows("select * from app.session_discrepancies()") == []


async def test_a_tab_that_dies_leaves_nothing_behind(world: World) -> None:
    org: Org = world.org()
    pack_id = world.pack(org, 1)

    async with one_behind_another(world, org.owner_id, lambda tab: world.use(tab, pack_id)) as (_, first, second):
        world.db.execute("select pg_terminate_backend(%s)", [first.info.backend_pid])
        assert await second is True

    assert world.value("select sessions_used from public.client_purchases") == 1
    assert world.rows("select * from app.session_discrepancies()") == []
