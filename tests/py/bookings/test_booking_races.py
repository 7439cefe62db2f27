"""One time and one session are given away once, however many ask for them at the same moment, through any door."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable

    from conftest import Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

    Connection = AsyncConnection[DictRow]


@dataclass(frozen=True)
class Studio:
    """An org that clients can book at any minute, and the portal link of its client."""

    world: World
    org: Org
    token: UUID
    slug: str
    noon: datetime

    def at(self, hours: int) -> datetime:
        """So many hours after a noon some days from now."""
        return self.noon + timedelta(hours=hours)

    async def insert(
        self,
        connection: Connection,
        start: datetime,
        pack_id: UUID | None = None,
        source: str = "client",
        client_id: UUID | None = None,
    ) -> UUID:
        """A row in the table, as the portal's route and a coach's page put it there. Returns its id."""
        booking_id: UUID = await self.world.ask(
            connection,
            "insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time, booking_source)"
            " values (%s, %s, %s, %s, %s, %s) returning id",
            self.org.id, client_id or self.org.client_id, pack_id, start, start + timedelta(hours=1), source,
        )  # fmt: skip
        return booking_id

    async def portal_book(self, connection: Connection, start: datetime, pack_id: UUID | None = None) -> str:
        """Through the portal's own function. Returns the booking's id."""
        query = "select public.portal_book(%s, %s, %s)"
        booking: dict[str, str] = await self.world.ask(connection, query, self.token, start, pack_id)
        return booking["id"]

    async def request(self, connection: Connection, start: datetime, email: str) -> str:
        """Through the public booking page. Returns the status it says."""
        query = "select public.request_session(%s, %s, %s, 'Jo Doe', %s)"
        answer: dict[str, str] = await self.world.ask(connection, query, self.slug, start, self.org.offer_id, email)
        return answer["status"]


@pytest.fixture
def studio(world: World) -> Studio:
    org = world.org()
    token = uuid4()
    slug: str = world.value("select slug from public.orgs where id = %s", org.id)
    world.db.execute(
        "update public.booking_settings set max_advance_days = 365, buffer_between_mins = 0, late_notice_hours = 0,"
        " early_cutoff_before_hour = 0, cancel_notice_hours = 0 where org_id = %s",
        [org.id],
    )
    world.db.execute(
        "insert into public.availability (org_id, day_of_week, start_time, end_time)"
        " select %s, d, '00:00', '24:00' from generate_series(0, 6) as d",
        [org.id],
    )
    world.db.execute("update public.clients set portal_token = %s where id = %s", [token, org.client_id])
    noon = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0) + timedelta(days=5)
    return Studio(world, org, token, slug, noon)


async def outcomes(work: Iterable[Coroutine[object, object, object]]) -> Counter[str]:
    """How often each thing came of it: "done", or the code it was refused with."""
    results = await asyncio.gather(*work, return_exceptions=True)
    return Counter(outcome(result) for result in results)


def outcome(result: object) -> str:
    if isinstance(result, psycopg.Error):
        return str(result.diag.message_primary)
    if isinstance(result, BaseException):
        raise result
    return "done"


def assert_sound(world: World) -> None:
    """No counter off its ledger, no pack with more held than left, no two bookings of clients at one time."""
    assert world.rows("select * from app.session_discrepancies()") == []
    assert world.rows(
        "select id from public.client_purchases where sessions_remaining < app.sessions_held(id)"
    ) == []  # fmt: skip
    assert world.rows(
        "select a.id from public.bookings as a join public.bookings as b"
        " on b.org_id = a.org_id and b.id <> a.id and a.booking_source = 'client' and b.booking_source = 'client'"
        " and a.status in ('pending', 'confirmed') and b.status in ('pending', 'confirmed')"
        " and tstzrange(a.start_time, a.end_time) && tstzrange(b.start_time, b.end_time)"
    ) == []  # fmt: skip


# -- many at once -----------------------------------------------------------------------------------------------------


async def test_sixty_portal_requests_for_one_time_make_one_booking(studio: Studio, world: World) -> None:
    pack_id = world.pack(studio.org, 100)

    async with world.connected(60, role="service_role") as portal:
        found = await outcomes(studio.insert(connection, studio.at(0), pack_id) for connection in portal)

    assert found == {"done": 1, "slot_taken": 59}
    assert world.value("select count(*) from public.bookings") == 1
    assert_sound(world)


async def test_sixty_that_overlap_by_a_quarter_of_an_hour_leave_room_for_each_other(
    studio: Studio, world: World
) -> None:
    async with world.connected(60, role="service_role") as portal:
        found = await outcomes(
            studio.insert(connection, studio.at(0) + timedelta(minutes=15 * (number % 20)))
            for number, connection in enumerate(portal)
        )

    # Five hours of starts: at least every other hour fits, and no more than one an hour.
    assert 3 <= found["done"] <= 5
    assert set(found) == {"done", "slot_taken"}
    assert_sound(world)


async def test_sixty_who_book_the_last_session_at_sixty_times_share_one(studio: Studio, world: World) -> None:
    pack_id = world.pack(studio.org, 1)

    async with world.connected(60, role="anon") as visitors:
        found = await outcomes(
            studio.portal_book(visitor, studio.at(number), pack_id) for number, visitor in enumerate(visitors)
        )

    assert found == {"done": 1, "no_session_left": 59}
    assert world.value("select app.bookable_sessions_remaining(%s)", pack_id) == 0
    assert_sound(world)


async def test_every_door_at_once_gives_the_last_session_and_each_time_away_once(studio: Studio, world: World) -> None:
    pack_id = world.pack(studio.org, 3)
    user_id = world.user()
    world.db.execute("update public.clients set auth_user_id = %s where id = %s", [user_id, studio.org.client_id])
    mine = "select public.book_my_session(%s)"

    async with (
        world.connected(12, role="service_role") as routes,
        world.connected(12, role="anon") as links,
        world.connected(12, role="anon") as pages,
        world.connected(12, user_id) as apps,
        world.connected(6, studio.org.owner_id) as coaches,
    ):
        found = await outcomes(
            [
                *(studio.insert(c, studio.at(n % 4), pack_id) for n, c in enumerate(routes)),
                *(studio.portal_book(c, studio.at(n % 4)) for n, c in enumerate(links)),
                *(studio.request(c, studio.at(n % 4), f"{n}@example.com") for n, c in enumerate(pages)),
                *(world.ask(c, mine, studio.at(n % 4)) for n, c in enumerate(apps)),
                *(studio.insert(c, studio.at(n % 4), pack_id, "trainer") for n, c in enumerate(coaches)),
            ]
        )

    assert set(found) <= {"done", "slot_taken", "no_session_left"}
    held = world.value("select count(*) from public.bookings where purchase_id = %s", pack_id)
    assert held <= 3
    assert_sound(world)


async def test_a_double_click_books_once(studio: Studio, world: World) -> None:
    world.pack(studio.org)

    async with world.connected(20, role="anon") as clicks:
        ids = await asyncio.gather(*(studio.portal_book(click, studio.at(0)) for click in clicks))
        answers = await asyncio.gather(*(studio.request(click, studio.at(1), "Jo@example.com") for click in clicks))

    assert len(set(ids)) == 1
    assert answers == ["requested"] * 20
    assert world.value("select count(*) from public.bookings") == 2
    assert world.value("select count(*) from public.clients") == 2
    assert_sound(world)


async def test_booking_and_cancelling_at_once_never_overdraws(studio: Studio, world: World) -> None:
    pack_id = world.pack(studio.org, 1)
    async with world.connected(30, role="anon") as visitors:
        booked = await studio.portal_book(visitors[0], studio.at(0), pack_id)
        for round_ in range(1, 6):
            # No round asks for a time of another one: asking again for what is booked already would answer "done" too.
            times = [studio.at(30 * round_ + number) for number in range(30)]
            cancel = world.ask(visitors[0], "select public.portal_cancel(%s, %s)", studio.token, booked)
            found = await outcomes(
                [
                    cancel,
                    *(
                        studio.portal_book(visitor, time, pack_id)
                        for visitor, time in zip(visitors[1:], times[1:], strict=True)
                    ),
                ]
            )
            assert set(found) <= {"done", "no_session_left"}
            assert found["done"] <= 2
            assert_sound(world)
            if found["done"] == 1:  # all of them had looked before the cancellation
                await studio.portal_book(visitors[0], times[0], pack_id)
            booked = str(world.value("select id from public.bookings where status = 'confirmed'"))


async def test_ten_tabs_of_three_users_and_a_worker_deduct_once_a_booking(studio: Studio, world: World) -> None:
    """The existing calendar: an update to completed, then use_session() without a booking, in every tab."""
    pack_id = world.pack(studio.org, 50)
    bookings = [world.booking(studio.org, timedelta(hours=-3 - number), pack_id) for number in range(3)]
    users = [studio.org.owner_id, world.member(studio.org, "staff"), world.member(studio.org, "staff")]

    async def calendar(tab: Connection) -> list[bool]:
        told = []
        for booking_id in bookings:
            await world.complete(tab, booking_id)
            told.append(await world.use(tab, pack_id))
        return told

    async with (
        world.connected(4, users[0]) as a, world.connected(3, users[1]) as b, world.connected(3, users[2]) as c,
        world.connected(2) as workers,
    ):  # fmt: skip
        told, _ = await asyncio.gather(
            asyncio.gather(*(calendar(tab) for tab in (*a, *b, *c))),
            asyncio.gather(*(world.complete_past(worker) for worker in workers)),
        )

    assert told == [[True] * 3] * 10
    assert world.value("select sessions_used from public.client_purchases") == 3
    entries = world.rows("select booking_id, delta from public.session_ledger")
    assert {entry["booking_id"] for entry in entries} == set(bookings)
    assert len(entries) == 3
    assert world.value("select count(*) from app.completion_credits") == 0
    assert_sound(world)


async def test_one_tab_that_sends_everything_twice_deducts_once(studio: Studio, world: World) -> None:
    """Its page tree is mounted twice: two updates and two calls at nearly the same time, over a pool of connections."""
    pack_id = world.pack(studio.org, 50)
    bookings = [world.booking(studio.org, timedelta(hours=-3 - number), pack_id) for number in range(10)]

    async def tree(pool: list[Connection], booking_id: UUID) -> bool:
        await world.complete(pool[0], booking_id)
        return await world.use(pool[1], pack_id)

    async with world.connected(40, studio.org.owner_id) as pool:
        told = await asyncio.gather(
            *(tree(pool[2 * n : 2 * n + 2], booking_id) for n, booking_id in enumerate(bookings + bookings))
        )

    assert told == [True] * 20
    assert world.value("select sessions_used from public.client_purchases") == 10
    assert_sound(world)


async def test_booking_completing_and_using_one_pack_at_once_never_deadlocks(studio: Studio, world: World) -> None:
    """A booking's foreign key shares the pack's row; whoever locked it for themselves would wait for it in a circle."""
    pack_id = world.pack(studio.org, 200)
    over = [world.booking(studio.org, timedelta(hours=-3 - number), pack_id) for number in range(40)]

    async def insert_many(connection: Connection, lane: int) -> None:
        for number in range(5):
            await studio.insert(connection, studio.at(10 * lane + number), pack_id, "trainer")

    async def complete_many(connection: Connection, lane: int) -> None:
        for booking_id in over[lane::8]:
            await world.complete(connection, booking_id)
            await world.use(connection, pack_id)

    async def edit_many(connection: Connection) -> None:
        for _ in range(5):
            await connection.execute(
                "update public.client_purchases set sessions_total = sessions_total + 1 where id = %s", [pack_id]
            )

    async with world.connected(20, studio.org.owner_id) as tabs, world.connected(2) as workers:
        found = await outcomes(
            [
                *(insert_many(tab, lane) for lane, tab in enumerate(tabs[:10])),
                *(complete_many(tab, lane) for lane, tab in enumerate(tabs[10:18])),
                *(edit_many(tab) for tab in tabs[18:]),
                *(world.complete_past(worker) for worker in workers),
            ]
        )

    assert found == {"done": 22}
    pack = world.one("select sessions_used, sessions_total from public.client_purchases")
    assert pack == {"sessions_used": 40, "sessions_total": 210}
    assert_sound(world)


# -- one waits for another --------------------------------------------------------------------------------------------


@asynccontextmanager
async def behind(
    world: World, first: Connection, work: Coroutine[object, object, object], second: Connection,
    other: Coroutine[object, object, object],
) -> AsyncIterator[asyncio.Task[object]]:  # fmt: skip
    """The second's work, which waits for what the first has done in a transaction that is still open."""
    await first.execute("begin")
    await work
    waiting = asyncio.ensure_future(other)
    await world.until_blocked(second)
    yield waiting


@pytest.mark.parametrize(("end", "told"), [("commit", "slot_taken"), ("rollback", "done")])
@pytest.mark.parametrize("first_is", ["coach", "client"])
async def test_a_client_waits_for_whoever_was_first(
    studio: Studio, world: World, first_is: str, end: str, told: str
) -> None:
    async with (
        world.connected(1, studio.org.owner_id) as (coach,),
        world.connected(1, role="service_role") as (earlier,),
        world.connected(1, role="anon") as (client,),
    ):
        world.pack(studio.org)
        first, source = (coach, "trainer") if first_is == "coach" else (earlier, "client")
        work = studio.insert(first, studio.at(0), None, source, world.client(studio.org, "+61491570199"))
        async with behind(world, first, work, client, studio.portal_book(client, studio.at(0))) as waiting:
            await first.execute(end)
            [result] = await asyncio.gather(waiting, return_exceptions=True)

    assert outcome(result) == told
    assert world.value("select count(*) from public.bookings") == 1
    assert_sound(world)


async def test_a_coach_who_comes_second_overlaps_on_purpose(studio: Studio, world: World) -> None:
    world.pack(studio.org)
    async with (
        world.connected(1, studio.org.owner_id) as (coach,),
        world.connected(1, role="anon") as (client,),
    ):
        work = studio.portal_book(client, studio.at(0))
        other = studio.insert(coach, studio.at(0), None, "trainer")
        async with behind(world, client, work, coach, other) as waiting:
            await client.execute("commit")
            await waiting

    assert world.value("select count(*) from public.bookings") == 2


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("sessions_total = 0", "no_session_left"),
        ("sessions_used = 1", "no_session_left"),
        ("payment_status = 'refunded'", "pack_refunded"),
        ("expires_at = now()", "pack_expired"),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_booking_waits_for_an_edit_of_its_pack(
    studio: Studio, world: World, edit: str, told: str, end: str
) -> None:
    pack_id = world.pack(studio.org, 1)
    async with (
        world.connected(1, studio.org.owner_id) as (coach,),
        world.connected(1, role="service_role") as (portal,),
    ):
        work = coach.execute("update public.client_purchases set " + edit)
        other = studio.insert(portal, studio.at(0), pack_id)
        async with behind(world, coach, work, portal, other) as waiting:
            await coach.execute(end)
            [result] = await asyncio.gather(waiting, return_exceptions=True)

    assert outcome(result) == (told if end == "commit" else "done")
    assert_sound(world)


async def test_what_is_being_moved_is_not_completed(studio: Studio, world: World) -> None:
    pack_id = world.pack(studio.org)
    booking_id = world.booking(studio.org, timedelta(hours=-3), pack_id)
    async with world.connected(1, studio.org.owner_id) as (coach,), world.connected(1) as (worker,):
        await coach.execute("begin")
        await move(coach, booking_id, studio.at(0))
        assert await world.complete_past(worker) == 0
        await coach.execute("commit")
        assert await world.complete_past(worker) == 0

    assert world.value("select status from public.bookings") == "confirmed"
    assert world.value("select app.bookable_sessions_remaining(%s)", pack_id) == 9
    assert_sound(world)


@pytest.mark.parametrize(("end", "status", "used"), [("commit", "completed", 1), ("rollback", "confirmed", 0)])
async def test_what_is_being_completed_is_moved_after(
    studio: Studio, world: World, end: str, status: str, used: int
) -> None:
    pack_id = world.pack(studio.org)
    booking_id = world.booking(studio.org, timedelta(hours=-3), pack_id)
    async with world.connected(1, studio.org.owner_id) as (coach,), world.connected(1) as (worker,):
        work, other = world.complete_past(worker), move(coach, booking_id, studio.at(0))
        async with behind(world, worker, work, coach, other) as waiting:
            await worker.execute(end)
            await waiting

    assert world.one("select status, start_time from public.bookings") == {"status": status, "start_time": studio.at(0)}
    assert world.value("select sessions_used from public.client_purchases") == used
    assert_sound(world)


async def test_two_bookings_that_swap_packs_do_not_deadlock(studio: Studio, world: World) -> None:
    packs = [world.pack(studio.org, 2) for _ in range(2)]
    bookings = [world.booking(studio.org, timedelta(hours=-3), pack_id) for pack_id in packs]
    async with (
        world.connected(2, studio.org.owner_id) as tabs,
        world.connected(2, studio.org.owner_id) as others,
    ):
        for booking_id in bookings:
            await world.complete(tabs[0], booking_id)
        # While others have a pack each, both of the two get as far as the first pack they want.
        for other, pack_id in zip(others, packs, strict=True):
            await other.execute("begin")
            await other.execute("select from public.client_purchases where id = %s for update", [pack_id])
        cover = "select public.cover_booking(%s, %s)"
        swaps = [
            asyncio.ensure_future(tab.execute(cover, [booking_id, pack_id]))
            for tab, booking_id, pack_id in zip(tabs, bookings, reversed(packs), strict=True)
        ]
        await world.until_blocked(*tabs)
        await asyncio.gather(*(other.execute("commit") for other in others))
        await asyncio.gather(*swaps)

    paid = {row["id"]: row["paid_by"] for row in world.rows("select id, app.paid_by(id) from public.bookings")}
    assert paid == dict(zip(bookings, reversed(packs), strict=True))
    assert_sound(world)


@pytest.mark.parametrize("role", ["service_role", "authenticated"])
async def test_a_client_waits_for_a_cancelled_booking_that_comes_back(studio: Studio, world: World, role: str) -> None:
    packs = [world.pack(studio.org) for _ in range(2)]
    who = studio.org.owner_id if role == "authenticated" else None
    async with world.connected(1, who, role) as (first,), world.connected(1, role="service_role") as (portal,):
        booking_id = await studio.insert(portal, studio.at(0), packs[0])
        await first.execute("update public.bookings set status = 'cancelled' where id = %s", [booking_id])
        work = first.execute("update public.bookings set status = 'confirmed' where id = %s", [booking_id])
        async with behind(world, first, work, portal, studio.insert(portal, studio.at(0), packs[1])) as waiting:
            await first.execute("commit")
            [result] = await asyncio.gather(waiting, return_exceptions=True)

    assert outcome(result) == "slot_taken"
    assert_sound(world)


async def test_covering_and_giving_back_what_other_packs_paid_do_not_deadlock(studio: Studio, world: World) -> None:
    packs = [world.pack(studio.org, 5) for _ in range(2)]
    bookings = [world.booking(studio.org, timedelta(hours=-3)) for _ in packs]
    async with (
        world.connected(2, studio.org.owner_id) as tabs,
        world.connected(2, studio.org.owner_id) as others,
    ):
        # Charged by hand: the bookings themselves name no pack.
        for booking_id, pack_id in zip(bookings, packs, strict=True):
            assert await world.use(tabs[0], pack_id, booking_id)
            await world.complete(tabs[0], booking_id)
        for other, pack_id in zip(others, packs, strict=True):
            await other.execute("begin")
            await other.execute("update public.client_purchases set payment_method = 'card' where id = %s", [pack_id])
        swaps = [
            asyncio.ensure_future(tab.execute("select public.cover_booking(%s, %s)", [booking_id, pack_id]))
            for tab, booking_id, pack_id in zip(tabs, bookings, reversed(packs), strict=True)
        ]
        await world.until_blocked(*tabs)
        await asyncio.gather(*(other.execute("commit") for other in others))
        await asyncio.gather(*swaps)

    assert {row["sessions_used"] for row in world.rows("select sessions_used from public.client_purchases")} == {1}
    assert_sound(world)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_a_transaction_that_cannot_see_what_others_do_changes_no_booking(
    studio: Studio, world: World, level: str
) -> None:
    world.pack(studio.org, 5)
    queries = [
        "insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)"
        " select org_id, client_id, id, now(), now() + interval '1 hour' from public.client_purchases",
        "update public.bookings set status = 'cancelled'",
    ]
    async with world.connected(1, role="service_role") as (portal,):
        booking_id = await studio.insert(portal, studio.at(0))
        for query in queries:
            await portal.execute("begin isolation level " + level)
            with pytest.raises(psycopg.Error) as refused:
                await portal.execute(query)
            await portal.execute("rollback")
            assert refused.value.diag.message_primary == "isolation_not_read_committed"

    assert world.rows("select id, status from public.bookings") == [{"id": booking_id, "status": "confirmed"}]


async def move(connection: Connection, booking_id: UUID, start: datetime) -> None:
    await connection.execute(
        "update public.bookings set start_time = %s, end_time = %s where id = %s",
        [start, start + timedelta(hours=1), booking_id],
    )
