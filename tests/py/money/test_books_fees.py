"""What Stripe kept of a payment is an estimate until its balance transaction says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from books import Books, Payment, at, event, invoice, invoice_payment, subscription_session
from psycopg.types.json import Jsonb

from devstack.standins import stripe_objects
from sidecar.database import Database
from sidecar.money.fees import StripeReader, fetch_due
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Events, Logs, Org, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

# stripe-python hands httpx its form in a way httpx warns about.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
FEES = """
    select type::text, reference_id, amount_cents, is_estimate
      from public.money_events where type <> 'INCOME' order by 1
"""


@pytest.fixture
def books(world: World) -> Books:
    return Books(world)


@pytest.fixture
async def reader(stripe_standin: Standin) -> AsyncIterator[StripeReader]:
    async with StripeReader(Secret("sk_test_of_the_tests"), stripe_standin.url) as reader:
        yield reader


def fees(world: World) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in world.rows(FEES)]


async def charged(standin: Standin, org: Org, events: Events, fee: int = 4321) -> tuple[dict[str, Any], dict[str, Any]]:
    """A payment as Stripe shows it: its session's event, and its balance transaction."""
    completed = events.paid(org)
    session = completed["data"]["object"]
    intent, charge, balance = stripe_objects.payment(session, {"application_fee_amount": fee}, org.account)
    session["payment_intent"] = intent["id"]
    for kept in (intent, charge, balance):
        await standin.control("keep", {"object": kept, "account": org.account})
    return completed, balance


async def test_the_worker_replaces_the_estimate(
    books: Books, world: World, worker_pool: Pool, reader: StripeReader, stripe_standin: Standin, events: Events
) -> None:
    org = world.org()
    completed, _ = await charged(stripe_standin, org, events)
    books.deliver(completed)
    key = completed["data"]["object"]["payment_intent"]
    assert fees(world) == [("FEE", key, -1560, True), ("PLATFORM_FEE", key, -4500, True)]

    assert await fetch_due(Database(worker_pool), reader) == 1

    assert fees(world) == [("FEE", key, -2640, False), ("PLATFORM_FEE", key, -4321, False)]
    months = world.one("select fees_cents, platform_fees_cents, cash_in_cents, net_cents from public.finance_monthly")
    assert list(months.values()) == [2640, 4321, 90000, 90000 - 2640 - 4321]
    assert await fetch_due(Database(worker_pool), reader) == 0, "known once and for all"


async def test_what_stripe_does_not_say_stays_an_estimate_and_is_asked_for_again(
    books: Books, world: World, worker_pool: Pool, reader: StripeReader, logs: Logs
) -> None:
    org = world.org()
    books.deliver(Payment(org).charge())

    assert await fetch_due(Database(worker_pool), reader) == 0

    assert fees(world)[0] == ("FEE", "pi_1", -1560, True)
    assert any(line["event"] == "stripe_refused" for line in logs.lines())
    wait = "select extract(epoch from lookup_at - now()) from app.stripe_payments"
    assert 50 < world.value(wait) <= 60
    assert world.rows("select * from app.fees_to_fetch(now(), 10)") == []
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert [row["payment_key"] for row in world.rows("select * from app.fees_to_fetch(%s, 10)", later)] == ["pi_1"]


def test_the_fee_is_the_same_whichever_comes_first(books: Books, world: World) -> None:
    """Also in its currency: that of the account, which need not be the payment's."""
    org = world.org()
    payment = Payment(org, currency="usd")
    transaction = {
        "fee": 5000, "currency": "aud",
        "fee_details": [
            {"type": "stripe_fee", "amount": 300}, {"type": "tax", "amount": 30},
            {"type": "application_fee", "amount": 4670},
        ],
    }  # fmt: skip
    book = "select app.book_balance_transaction(%s, 'pi_1', %s)"
    found = []
    for sooner in range(4):
        with books.undone():
            told = [payment.intent(), payment.session(), payment.charge()]
            for n, each in enumerate([*told, None]):
                if n == sooner and sooner:
                    assert world.value(book, org.id, Jsonb(transaction)) is True
                    assert world.value(book, org.id, Jsonb(transaction)) is False
                if each:
                    books.deliver(each)
            if not sooner:
                assert world.value(book, org.id, Jsonb(transaction)) is True
            found.append(books.everything())
            assert ("FEE", "pi_1", -330, "aud", at(0), False) in books.money(org)
            assert ("PLATFORM_FEE", "pi_1", -4500, "usd", at(0), False) in books.money(org)
    assert len(set(found)) == 1


async def test_how_an_invoice_was_paid_is_asked_for_when_no_event_says_it(
    books: Books, world: World, worker_pool: Pool, reader: StripeReader, stripe_standin: Standin
) -> None:
    """Nothing is booked on a guess: the payment's own event may be on its way."""
    org = world.org()
    told = [subscription_session(org, 1, 4), invoice(org, 1, 3)]
    books.deliver(*told)
    assert books.money(org) == []
    # The library makes a Decimal of what ends in _decimal.
    lines = [{"id": "il_1", "object": "line_item", "pricing": {"unit_amount_decimal": "5000.5"}}]
    shown = told[1]["data"]["object"] | {
        "payments": {"object": "list", "data": [invoice_payment(1)]},
        "lines": {"object": "list", "data": lines},
    }
    await stripe_standin.control("keep", {"object": shown, "account": org.account})

    assert await fetch_due(Database(worker_pool), reader) == 1

    income = [row for row in books.money(org) if row[0] == "INCOME"]
    assert income == [("INCOME", "pi_1", 5000, "aud", at(3), False)]
    assert world.value("select client_id from public.money_events where type = 'INCOME'") == org.client_id
    books.deliver(event(org, "invoice_payment.paid", 3, invoice_payment(1)), Payment(org, amount=5000).intent(after=2))
    income = [row for row in books.money(org) if row[0] == "INCOME"]
    assert income == [("INCOME", "pi_1", 5000, "aud", at(2), False)]


# -- payouts ----------------------------------------------------------------------------------------------------------

PAID_OUT = """
    select type::text, regexp_replace(reference_id, '_.*', ''), amount_cents, stripe_payout_id
      from public.money_events as e where type <> 'PAYOUT' order by e.type, amount_cents
"""


async def paid_out(books: Books, standin: Standin, org: Org, **how: bool) -> str:
    """Stripe pays out what the account has, and tells of it. Gives the payout's id."""
    payout_id = str((await standin.control("payout", {"account": org.account, "delivery": "none", **how}))["payout_id"])
    books.deliver(event(org, "payout.paid", 9, {"id": payout_id, "amount": 82860, "currency": "aud"}))
    return payout_id


def earned(world: World) -> tuple[int, int]:
    found = world.one("select paid_out_cents, pending_payout_cents from public.org_earnings")
    return found["paid_out_cents"], found["pending_payout_cents"]


async def test_which_payout_paid_out_what(
    books: Books, world: World, worker_pool: Pool, reader: StripeReader, stripe_standin: Standin, events: Events
) -> None:
    org = world.org()
    completed, _ = await charged(stripe_standin, org, events, fee=4500)
    intent = completed["data"]["object"]["payment_intent"]
    books.deliver(completed)
    client = reader.client.v1.refunds
    options: stripe.RequestOptions = {"stripe_account": org.account}
    made = await client.create_async({"payment_intent": intent, "amount": 10000}, options)
    books.deliver(event(org, "refund.created", 5, made.to_dict()))
    payout_id = await paid_out(books, stripe_standin, org)
    later = await client.create_async({"payment_intent": intent, "amount": 20000}, options)
    books.deliver(event(org, "refund.created", 10, later.to_dict()))
    assert earned(world) == (0, 60000 - 3000)

    assert await fetch_due(Database(worker_pool), reader) == 2

    assert [tuple(row.values()) for row in world.rows(PAID_OUT)] == [
        ("INCOME", "pi", 90000, payout_id),
        ("REFUND", "re", -20000, None),
        ("REFUND", "re", -10000, payout_id),
        ("FEE", "pi", -2640, payout_id),
        ("PLATFORM_FEE", "pi", -4500, payout_id),
    ]
    assert earned(world) == (80000 - 4000, -20000 + 1000)
    assert await fetch_due(Database(worker_pool), reader) == 0


async def test_what_an_orgs_own_payout_was_for_nobody_says(
    books: Books, world: World, worker_pool: Pool, reader: StripeReader, stripe_standin: Standin, events: Events
) -> None:
    org = world.org()
    completed, _ = await charged(stripe_standin, org, events)
    books.deliver(completed)
    await paid_out(books, stripe_standin, org, automatic=False)

    assert await fetch_due(Database(worker_pool), reader) == 2

    assert world.value("select count(stripe_payout_id) from public.money_events") == 0
    later = datetime.now(UTC) + timedelta(days=1)
    assert world.rows("select * from app.fees_to_fetch(%s, 10)", later) == []


async def test_a_payout_that_stripe_is_still_working_out_is_asked_about_again(
    books: Books, world: World, worker_pool: Pool, reader: StripeReader, stripe_standin: Standin, events: Events
) -> None:
    org = world.org()
    completed, _ = await charged(stripe_standin, org, events)
    payout_id = await paid_out(books, stripe_standin, org)
    shown = await reader.client.v1.payouts.retrieve_async(payout_id, None, {"stripe_account": org.account})
    unfinished = shown.to_dict() | {"reconciliation_status": "in_progress"}
    await stripe_standin.control("keep", {"object": unfinished, "account": org.account})
    assert await fetch_due(Database(worker_pool), reader) == 0
    # The payment was not told of until now; its payout was.
    books.deliver(completed)
    await stripe_standin.control("keep", {"object": shown.to_dict(), "account": org.account})
    world.db.execute("update app.stripe_payments set lookup_at = now() where lookup_at is not null")

    assert await fetch_due(Database(worker_pool), reader) == 2

    assert world.value("select count(*) from public.money_events where stripe_payout_id = %s", payout_id) == 3
