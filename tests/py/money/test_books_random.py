"""Long lives of payments in random orders, and deliveries at once: the books equal a model that knows no order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from books import Books, Payment, payout, subscription, subscription_session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from conftest import Connection, Org, World

    Event = dict[str, Any]

CURRENCIES = ["aud", "jpy"]


@pytest.fixture
def books(world: World) -> Books:
    return Books(world)


class Life:
    """A payment and what became of it: its events, and what they come to."""

    def __init__(self, org: Org, n: int, draw: random.Random) -> None:
        self.events: list[Event] = []
        self.sums: Counter[tuple[object, ...]] = Counter()
        self.rows = 0
        amount = draw.choice([1, 2, 999, 90000, 2**31 - 1])
        payment = Payment(org, n, amount, draw.choice(CURRENCIES), draw.choice([0, 1, 4500]))
        self.org, self.payment = org, payment
        self.events += draw.sample([payment.session(), payment.intent(), payment.charge()], draw.randint(2, 3))
        if not any(each["type"].startswith("checkout") for each in self.events):
            self.events.append(payment.session())
        self._book("INCOME", amount)
        self._book("PLATFORM_FEE", -(payment.fee or 0))
        self._book("FEE", -(round(amount * 0.017 + 1e-9) + 30))
        left, given = amount, 0
        for m in range(draw.randint(0, 3)):
            part = draw.randint(0, left)
            left -= part
            given += self._refund(m, part, draw)
        taken = draw.random() < 0.3 and self._dispute(draw)
        self.pack = "refunded" if taken or given >= amount else "succeeded"

    def _book(self, kind: str, amount: int) -> None:
        self.sums[self.org.id, self.payment.currency, kind] += amount
        self.rows += amount != 0

    def _refund(self, m: int, amount: int, draw: random.Random) -> int:
        fate = draw.choice(["succeeded", "succeeded", "pending", "canceled", "failed after"])
        if fate in {"pending", "canceled"}:
            self.events.append(self.payment.refund(m, amount, status=fate))
            return 0
        self.events += [
            self.payment.refund(m, amount, told=100 + told) for told in range(draw.randint(1, 2))
        ]  # fmt: skip
        self._book("REFUND", -amount)
        if fate == "succeeded":
            return amount
        self.events.append(self.payment.refund(m, amount, "refund.failed", "failed", told=300))
        self._book("REFUND", amount)
        return 0

    def _dispute(self, draw: random.Random) -> bool:
        payment = self.payment
        self.events.append(payment.dispute("funds_withdrawn", "needs_response", 500, (-payment.amount, 2500)))
        self._book("ADJUSTMENT", -payment.amount)
        self._book("FEE", -2500)
        if draw.random() < 0.5:
            self.events.append(payment.dispute("closed", "lost", 600, (-payment.amount, 2500)))
            return True
        self.events.append(
            payment.dispute("funds_reinstated", "won", 600, (-payment.amount, 2500), (payment.amount, 0))
        )
        self._book("ADJUSTMENT", payment.amount)
        return False


def lives(orgs: list[Org], draw: random.Random) -> tuple[list[Event], Counter[tuple[object, ...]], int, Counter[str]]:
    """Many payments of several orgs: their events shuffled, with duplicates; sums, rows and packs they come to."""
    made = [Life(draw.choice(orgs), n, draw) for n in range(draw.randint(1, 6))]
    events = [each for life in made for each in life.events]
    events += draw.sample(events, len(events) // 3)
    draw.shuffle(events)
    sums: Counter[tuple[object, ...]] = Counter()
    for life in made:
        sums.update(life.sums)
    return events, sums, sum(life.rows for life in made), Counter(life.pack for life in made)


def check(world: World, sums: Counter[tuple[object, ...]], rows: int, packs: Counter[str]) -> None:
    found = world.rows(
        "select org_id, currency, type::text, sum(amount_cents)::bigint as cents, count(*)::integer as n"
        "  from public.money_events group by 1, 2, 3"
    )
    assert {(r["org_id"], r["currency"], r["type"]): r["cents"] for r in found if r["cents"]} == {
        key: cents for key, cents in sums.items() if cents
    }
    assert sum(r["n"] for r in found) == rows
    kept = world.rows("select payment_status, count(*)::integer as n from public.client_purchases group by 1")
    assert {row["payment_status"]: row["n"] for row in kept} == packs


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_random_lives_in_random_orders_equal_the_model(books: Books, world: World, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a test's dice
    with books.undone():
        orgs = [world.org(), world.org()]
        events, sums, rows, packs = lives(orgs, draw)

        books.deliver(*events)

        check(world, sums, rows, packs)


async def test_deliveries_at_once_equal_the_model(world: World) -> None:
    """Every event three times over eight connections: none deadlocks, none counts twice."""
    draw = random.Random(7)  # noqa: S311 - a test's dice
    orgs = [world.org(), world.org()]
    events, sums, rows, packs = lives(orgs, draw)
    events = [*events, *events]
    events += [payout(orgs[0], kind, 10) for kind in ("paid", "failed")] * 2
    events += [subscription(orgs[1], 1, "active", 10, "created"), subscription_session(orgs[1], 1, 11)] * 2
    draw.shuffle(events)
    outcomes: Counter[str] = Counter()

    async def deliver(connection: Connection, share: list[Event]) -> None:
        for each in share:
            outcomes[str(await world.ask(connection, "select app.receive_stripe_event(%s, false)", Jsonb(each)))] += 1

    connections = [await world.connect("coach_os_sidecar") for _ in range(8)]
    await asyncio.gather(*(deliver(c, events[n::8]) for n, c in enumerate(connections)))
    for connection in connections:
        await connection.close()

    assert outcomes["failed"] == 0, world.rows("select event_type, reason from app.webhook_events where reason <> ''")
    assert outcomes["applied"] + outcomes["ignored"] == world.value("select count(*) from app.webhook_events")
    check(world, sums, rows + 2, packs)
    assert world.value("select status from public.subscriptions") == "active"


async def at_once(world: World, *events: Event) -> None:
    """Deliver two: the second while the first is applied but not committed. It has to wait."""
    first, second = [await world.connect("coach_os_sidecar") for _ in range(2)]
    receive = "select app.receive_stripe_event(%s, false)"
    async with first.transaction():
        await world.ask(first, receive, Jsonb(events[0]))
        waiting = asyncio.create_task(world.ask(second, receive, Jsonb(events[1])))
        await world.until_blocked(second)
    assert await waiting == "applied"
    for connection in (first, second):
        await connection.close()


async def test_two_events_of_one_payment_wait_for_each_other(world: World) -> None:
    payment = Payment(world.org())

    await at_once(world, payment.refund(1, 90000), payment.session())

    assert world.value("select payment_status from public.client_purchases") == "refunded"


async def test_a_payout_that_is_paid_and_fails_at_once_is_taken_back(books: Books, world: World) -> None:
    org = world.org()

    await at_once(world, payout(org, "paid", 10), payout(org, "failed", 20))

    assert [row[1] for row in books.money(org)] == ["po_1", "po_1:reversal"]


async def test_of_two_subscriptions_told_of_at_once_the_one_that_runs_is_shown(books: Books, world: World) -> None:
    org = world.org()
    books.deliver(subscription_session(org, 1, 4), subscription_session(org, 2, 5))

    await at_once(
        world, subscription(org, 2, "canceled", 20, "deleted"), subscription(org, 1, "past_due", 21, started=4)
    )

    shown = world.one("select stripe_subscription_id, status from public.subscriptions")
    assert list(shown.values()) == ["sub_1", "past_due"]


async def test_an_event_that_comes_while_its_account_is_connected_is_not_forgotten(world: World) -> None:
    org = world.org(connected=False)
    coach, sidecar = await world.connect(), await world.connect("coach_os_sidecar")
    async with coach.transaction():
        await coach.execute(
            "insert into public.stripe_accounts (org_id, stripe_account_id) values (%s, %s)", [org.id, org.account]
        )
        receive = "select app.receive_stripe_event(%s, false)"
        waiting = asyncio.create_task(world.ask(sidecar, receive, Jsonb(Payment(org).session())))
        await world.until_blocked(sidecar)

    assert await waiting == "applied"
    for connection in (coach, sidecar):
        await connection.close()
