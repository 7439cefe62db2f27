"""What could not be applied is kept and tried again, and settled by command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from books import Books, Payment, subscription, subscription_session
from click.testing import CliRunner

from sidecar.cli import main
from sidecar.database import Database
from sidecar.money.inbox import retry_due

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import Logs, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

CANARY = "canary-9c1b"
INCOME = "select coalesce(sum(amount_cents), 0)::integer from public.money_events where type = 'INCOME'"


@pytest.fixture
def books(world: World) -> Books:
    return Books(world)


def break_books(world: World) -> None:
    """Whatever is booked from now on fails, with a text that must not be kept."""
    world.db.execute(
        f"""
        create function public.tests_fail() returns trigger language plpgsql as
          $$begin raise exception 'no more of {CANARY}'; end$$;
        create trigger tests_fail before insert on public.money_events
          for each row execute function public.tests_fail();
        """
    )


def mend_books(world: World) -> None:
    world.db.execute("drop trigger tests_fail on public.money_events; drop function public.tests_fail()")


def kept(world: World) -> dict[str, Any]:
    return world.one("select status, reason, attempts, next_attempt_at from app.webhook_events")


def retry(world: World, now: datetime, limit: int = 50) -> tuple[int, ...]:
    return tuple(world.one("select * from app.retry_webhook_events(%s, %s)", now, limit).values())


def make_due(world: World) -> None:
    world.db.execute("update app.webhook_events set next_attempt_at = now() where next_attempt_at is not null")


async def test_what_failed_is_right_after_the_next_tick(
    books: Books, world: World, worker_pool: Pool, logs: Logs
) -> None:
    org = world.org()
    break_books(world)
    assert books.deliver(Payment(org).session()) == ["failed"]
    assert world.value("select count(*) from public.client_purchases") == 0
    mend_books(world)

    assert await retry_due(Database(worker_pool)) == 0, "its time has not come"
    make_due(world)
    assert await retry_due(Database(worker_pool)) == 1

    assert kept(world) == {"status": "applied", "reason": None, "attempts": 1, "next_attempt_at": None}
    assert world.value(INCOME) == 90000
    assert world.value("select count(*) from public.client_purchases") == 1
    assert CANARY not in logs.text


def test_the_pauses_double_up_to_six_hours_and_end_after_thirty_attempts(books: Books, world: World) -> None:
    org = world.org()
    break_books(world)
    books.deliver(Payment(org).session())
    now: datetime = world.value("select processed_at from app.webhook_events")
    minutes: list[float] = []

    while (due := kept(world)["next_attempt_at"]) is not None and len(minutes) < 40:
        minutes.append((due - now) / timedelta(minutes=1))
        assert retry(world, due - timedelta(microseconds=1)) == (0, 0, 0)
        assert retry(world, due) == (0, 1, 0)
        now = due

    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[360] * 20]
    assert kept(world) == {"status": "failed", "reason": "sqlstate_P0001", "attempts": 30, "next_attempt_at": None}
    mend_books(world)
    assert world.value("select app.replay_webhook_event(id, now()) from app.webhook_events") == "applied"
    assert world.value(INCOME) == 90000


def test_one_that_still_fails_takes_no_other_with_it(books: Books, world: World) -> None:
    org, other = world.org(), world.org()
    good, bad = Payment(org), Payment(org, 2)
    bad_session = bad.session(metadata={"offer_id": str(other.offer_id), "client_id": str(org.client_id)})
    break_books(world)
    assert books.deliver(good.charge(), bad_session, good.session()) == ["failed"] * 3
    mend_books(world)

    assert retry(world, datetime.now(UTC) + timedelta(hours=1)) == (2, 1, 0)

    assert world.value(INCOME) == 90000
    reasons = world.rows("select reason from app.webhook_events where status = 'failed'")
    assert reasons == [{"reason": "offer_not_in_org"}]


def test_the_events_of_an_account_that_is_connected_later_are_applied_in_their_order(
    books: Books, world: World
) -> None:
    org, later = world.org(connected=False), world.org(connected=False)
    events = [
        Payment(org).refund(1, 90000), Payment(org).session(), Payment(org).intent(),
        subscription(org, 1, "canceled", 90, "deleted", started=2), subscription_session(org, 1, 4),
        Payment(later, 2).session(),
    ]  # fmt: skip
    assert books.deliver(*events) == ["unmatched"] * 6
    assert retry(world, datetime.now(UTC) + timedelta(days=9)) == (0, 0, 0), "nobody asks in vain"

    world.db.execute(
        "insert into public.stripe_accounts (org_id, stripe_account_id) values (%s, 'acct_other')", [org.id]
    )
    world.db.execute("update public.stripe_accounts set stripe_account_id = %s", [org.account])

    assert retry(world, datetime.now(UTC) + timedelta(seconds=1), 2) == (2, 0, 0)
    applied = world.rows("select event_type from app.webhook_events where status = 'applied' order by event_created_at")
    assert [row["event_type"] for row in applied] == ["payment_intent.succeeded", "checkout.session.completed"]
    assert retry(world, datetime.now(UTC) + timedelta(seconds=1)) == (3, 0, 0)
    assert world.value("select sum(amount_cents)::integer from public.money_events where type <> 'FEE'") == -4500
    assert world.value("select payment_status from public.client_purchases") == "refunded"
    assert world.value("select status from public.subscriptions") == "canceled"
    assert world.value("select count(*) from app.webhook_events where status = 'unmatched'") == 1


async def test_two_ticks_at_once_share_the_work(books: Books, world: World) -> None:
    org = world.org()
    break_books(world)
    books.deliver(*(Payment(org, n).session() for n in range(6)))
    mend_books(world)
    make_due(world)
    tick = "select applied from app.retry_webhook_events(now() + interval '1 second', %s)"
    async with world.connected(2) as (first, second), first.transaction():
        assert await world.ask(first, tick, 4) == 4
        assert await world.ask(second, tick, 50) == 2

    assert world.value(INCOME) == 6 * 90000


async def test_a_batch_gives_way_to_who_holds_what_it_needs(books: Books, world: World) -> None:
    """It never waits long enough to be part of a deadlock; the event is due again."""
    org = world.org()
    books.deliver(Payment(org).session())
    break_books(world)
    books.deliver(Payment(org).refund(1, 90000))
    mend_books(world)
    make_due(world)
    holder = await world.connect()
    async with holder.transaction():
        await holder.execute("select from public.client_purchases for no key update")
        assert retry(world, datetime.now(UTC) + timedelta(seconds=1)) == (0, 1, 0)
    await holder.close()

    assert world.value("select reason from app.webhook_events where status = 'failed'") == "sqlstate_55P03"
    make_due(world)
    assert retry(world, datetime.now(UTC) + timedelta(seconds=1)) == (1, 0, 0)
    assert world.value("select payment_status from public.client_purchases") == "refunded"


def test_the_command_lists_replays_and_discards(books: Books, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org, nobody = world.org(), world.org(connected=False)
    break_books(world)
    books.deliver(Payment(org).session(), Payment(org, 2).session(), Payment(nobody, 3).session())
    mend_books(world)
    ids: list[UUID] = [row["id"] for row in world.rows("select id from app.webhook_events order by received_at, id")]
    monkeypatch.setattr("sidecar.logging.configure", lambda _: None)  # the test's own stays

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["webhooks", *args], env={"DATABASE_URL": world.url("coach_os_sidecar")})
        return done.exit_code, done.output

    status, listed = run("list")
    assert status == 0
    assert [line.split("\t")[3:5] for line in listed.splitlines()] == [
        ["failed", "sqlstate_P0001"], ["failed", "sqlstate_P0001"], ["unmatched", "account_unknown"],
    ]  # fmt: skip
    assert CANARY not in listed
    assert run("replay", str(ids[0])) == (0, "applied: 1\n")
    assert run("discard", str(ids[2])) == (0, "discarded\n")
    assert run("replay", "--all") == (0, "applied: 1\n")
    assert run("list") == (0, "")
    assert run("list", "--status", "discarded")[1].count("\n") == 1
    assert run("replay")[0] == 2
    assert run("replay", "--all", str(ids[0]))[0] == 2
    for verb in ("replay", "discard"):
        status, told = run(verb, "00000000-0000-0000-0000-000000000000")
        assert status == 1
        assert "webhook_event_not_found" in told
    assert world.value(INCOME) == 180000
