"""What was never delivered is found and taken in; what cannot be is kept as a finding until it is right."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from books import Books, event, payout
from click.testing import CliRunner
from psycopg.types.json import Jsonb
from shop import Shop

from sidecar.cli import main
from sidecar.database import Database
from sidecar.money import reconciliation
from sidecar.money.fees import StripeReader
from sidecar.money.reconciliation import Outcome, Span, reconcile_all, reconcile_due
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from conftest import Auth, Logs, Org, Sidecar, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]
    Command = Callable[..., Awaitable[tuple[int, str]]]

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
CANARY = "canary-77c0de"
PATIENCE_S = 20
NET = """
    select type::text || ' ' || regexp_replace(reference_id, '_[0-9]+', '') || ' ' || amount_cents || ' ' || currency
      from public.money_events where org_id = %s and not is_estimate order by 1
"""
"""An org's books but for ids and instants."""


@dataclass(frozen=True)
class Worker:
    """What the worker compares with."""

    database: Database
    reader: StripeReader

    async def due(self) -> int:
        return await reconcile_due(self.database, self.reader)

    async def everything(self, span: Span | None = None) -> list[Outcome]:
        return await reconcile_all(self.database, self.reader, span)


@pytest.fixture
async def worker(worker_pool: Pool, stripe_standin: Standin) -> AsyncIterator[Worker]:
    async with StripeReader(Secret("sk_test_of_the_tests"), stripe_standin.url) as reader:
        yield Worker(Database(worker_pool), reader)


def findings(world: World) -> list[tuple[Any, ...]]:
    """Those that are open."""
    rows = world.rows("select kind, org_id, subject from app.health_findings where resolved_at is null order by 1, 3")
    return [tuple(row.values()) for row in rows]


def state(world: World, account: str) -> DictRow:
    return world.one("select * from app.reconciliations where account_id = %s", account)


def make_due(world: World) -> None:
    world.db.execute("update app.reconciliations set due_at = now() - interval '1 second'")


def income(world: World, org: Org) -> int:
    found: int = world.value(
        "select coalesce(sum(amount_cents), 0)::integer from public.money_events where type = 'INCOME' and org_id = %s",
        org.id,
    )
    return found


async def life(shop: Shop, n: int) -> list[str]:
    """A payment with all that can come after it, a dispute and a payout. Gives the ids of its events."""
    payment = await shop.sells(n, told=False)
    taken = payment.dispute("funds_withdrawn", "needs_response", 200, (-90000, 2500))
    given_back = payment.dispute("funds_reinstated", "won", 300, (-90000, 2500), (90000, 0))
    told = [
        payment.charge(),
        payment.session(),
        payment.refund(1, 20000),
        payment.refund(2, 30000),
        payment.refund(2, 30000, "refund.failed", "failed", told=400),
        taken,
        given_back,
        payout(shop.org, "paid", 500, n=n),
        payout(shop.org, "failed", 600, n=n),
    ]
    ids = []
    for each in told:
        if each["type"] not in {"checkout.session.completed", "charge.succeeded"}:
            await shop.shows(each["data"]["object"])
        ids.append(await shop.tells(each))
    return ids


LIFE = [
    "ADJUSTMENT du -90000 aud", "ADJUSTMENT du:reversal 90000 aud", "FEE du -2500 aud", "INCOME pi 90000 aud",
    "PAYOUT po -70000 aud", "PAYOUT po:reversal 70000 aud", "PLATFORM_FEE pi -4500 aud", "REFUND re -20000 aud",
    "REFUND re -30000 aud", "REFUND re:reversal 30000 aud",
]  # fmt: skip


async def test_whatever_is_missing_is_there_after_the_next_run(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    """Of each org another event was never delivered; of one, none at all."""
    orgs = [world.org() for _ in range(11)]
    for n, org in enumerate(orgs):
        shop = Shop(stripe_standin, org)
        ids = await life(shop, n)
        if n < 10:
            await shop.delivers(world, *(each for m, each in enumerate(ids) if m != n))
    assert await worker.due() == 12

    for org in orgs:
        found = [next(iter(row.values())) for row in world.rows(NET.replace("_[0-9]+", "_[0-9_]+"), org.id)]
        assert found == LIFE
    assert findings(world) == []
    assert world.value("select count(*) from app.webhook_events") == 11 * 9
    before = world.everything()
    make_due(world)
    assert await worker.due() == 12
    after = world.everything()
    assert {name for name in before if before[name] != after[name]} == {"app.reconciliations"}


async def test_it_is_done_once_a_day_and_a_missed_day_is_made_up_for(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    org = world.org()
    assert await worker.due() == 2
    assert await worker.due() == 0
    await Shop(stripe_standin, org).sells(1)

    world.db.execute(
        "update app.reconciliations set since = since - interval '9 days', due_at = due_at - interval '5 days',"
        " reconciled_to = reconciled_to - interval '4 days'"
    )
    assert await worker.due() == 2

    assert income(world, org) == 90000
    wait = "select extract(epoch from due_at - now()) / 3600 from app.reconciliations where account_id = %s"
    assert 23.9 < world.value(wait, org.account) <= 24
    assert await worker.due() == 0


async def test_what_was_mended_is_looked_for_in_the_payouts(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    org = world.org()
    told = payout(org, "paid", 0)
    told["created"] = int(datetime.now(UTC).timestamp())
    Books(world).deliver(told)
    world.db.execute("update app.stripe_payments set lookup_at = null, lookups = 3")
    await Shop(stripe_standin, org).shows(told["data"]["object"])

    await worker.due()
    assert world.value("select lookup_at from app.stripe_payments") is None
    await Shop(stripe_standin, org).sells(1)
    make_due(world)
    await worker.due()

    looked_up = world.one(
        "select lookup_at <= now() as due, lookups from app.stripe_payments where payment_key = 'po_1'"
    )
    assert looked_up == {"due": True, "lookups": 0}


async def test_lists_are_walked_to_their_end(
    world: World, worker: Worker, stripe_standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    org = world.org()
    shop = Shop(stripe_standin, org)
    for n in range(5):
        await shop.sells(n, told=n != 2)

    assert await worker.due() == 2

    assert income(world, org) == 4 * 90000
    assert findings(world) == [("not_in_books", org.id, "pi_2")]


# -- findings ---------------------------------------------------------------------------------------------------------


async def test_what_has_no_event_any_more_is_a_finding_until_it_is_booked(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    org, other = world.org(), world.org()
    shop = Shop(stripe_standin, org)
    payment = await shop.sells(1, told=False)
    await shop.happens(
        payment.refund(1, 20000), payment.dispute("funds_withdrawn", "lost", 9, (-90000, 2500)),
        payout(org, "paid", 9), told=False,
    )  # fmt: skip
    await shop.shows(payment.refund_object(2, 5, "pending"))
    await shop.shows(payment.refund_object(3, 5, "failed"))
    await Shop(stripe_standin, other).sells(2)

    assert await worker.due() == 3

    gaps = [("not_in_books", org.id, subject) for subject in ("du_1", "pi_1", "po_1", "re_1_1")]
    assert findings(world) == gaps
    detail = world.value("select detail from app.health_findings where subject = 'pi_1'")
    assert detail == {
        "lines": [
            {
                "type": kind, "stripe_cents": cents, "booked_cents": 0, "currency": "aud", "booked_currencies": [],
            }
            for kind, cents in (("INCOME", 90000), ("PLATFORM_FEE", -4500))
        ]
    }  # fmt: skip
    first_seen = world.value("select max(first_seen_at) from app.health_findings")

    make_due(world)
    await worker.due()
    assert findings(world) == gaps, "still the same, once each"
    assert world.value("select count(*) from app.health_findings where first_seen_at <= %s", first_seen) == 4
    assert world.value("select bool_and(last_seen_at > first_seen_at) from app.health_findings")

    # Stripe sends one again by hand; and a month has passed, so that no list shows any of it.
    await shop.delivers(world, await shop.tells(payment.charge()))
    world.db.execute("update app.reconciliations set since = now(), reconciled_to = now()")
    make_due(world)
    await worker.due()
    assert findings(world) == [gap for gap in gaps if gap[2] != "pi_1"]
    resolved = world.one("select * from app.health_findings where resolved_at is not null")
    assert (resolved["subject"], resolved["resolved_at"] >= resolved["last_seen_at"]) == ("pi_1", True)


async def test_amounts_and_currencies_that_differ(world: World, worker: Worker, stripe_standin: Standin) -> None:
    org = world.org()
    shop = Shop(stripe_standin, org)
    differences: list[dict[str, Any]] = [
        {"amount_captured": 90001, "amount_received": 90001}, {"currency": "usd"}, {"application_fee_amount": 4499}, {},
    ]  # fmt: skip
    for n, changed in enumerate(differences):
        payment = await shop.sells(n, told=False)
        await shop.delivers(world, await shop.tells(payment.charge()))
        for shown in (payment.charge(), payment.intent()):
            await shop.shows(shown["data"]["object"] | changed)
    reversed_here = payment.refund(1, 100)
    await shop.delivers(world, await shop.tells(reversed_here))
    await shop.shows(payment.refund_object(1, 100, "failed"))

    await worker.due()

    assert findings(world) == [
        ("differs_from_stripe", org.id, subject) for subject in ("pi_0", "pi_1", "pi_2", "re_3_1")
    ]
    lines = {
        row["subject"]: [(line["type"], line["stripe_cents"], line["booked_cents"]) for line in row["detail"]["lines"]]
        for row in world.rows("select subject, detail from app.health_findings")
    }
    assert lines == {
        "pi_0": [("INCOME", 90001, 90000)],
        "pi_1": [("INCOME", 90000, 90000), ("PLATFORM_FEE", -4500, -4500)],
        "pi_2": [("PLATFORM_FEE", -4499, -4500)],
        "re_3_1": [("REFUND", 0, -100)],
    }


async def test_what_stripe_does_not_know(world: World, worker: Worker, stripe_standin: Standin) -> None:
    """Neither in its lists nor by its id. What was begun before the time that is looked at, it does know."""
    org = world.org()
    shop = Shop(stripe_standin, org)
    payment = await shop.sells(1, told=False)
    await shop.shows(payment.charge()["data"]["object"], created=1)
    world.db.execute(
        """
        insert into public.money_events (org_id, event_date, type, amount_cents, currency, source, reference_id)
        select %s, now() - e.ago, e.type::public.money_event_type, e.cents, 'aud', e.source, e.reference
          from (values ('INCOME', 90000, 'stripe', 'pi_1', interval '0'),
                       ('PLATFORM_FEE', -4500, 'stripe', 'pi_1', '0'), ('INCOME', 5, 'stripe', 'pi_9', '0'),
                       ('REFUND', -5, 'stripe', 're_9', '0'), ('REFUND', 5, 'stripe', 're_9:reversal', '0'),
                       ('PAYOUT', -5, 'stripe', 'what_9', '0'), ('INCOME', 5, 'manual', 'pi_8', '0'),
                       ('INCOME', 5, 'stripe', 'pi_7', '1 day')
               ) as e (type, cents, source, reference, ago)
        """,
        [org.id],
    )

    await worker.due()

    assert findings(world) == [("unknown_to_stripe", org.id, subject) for subject in ("pi_9", "re_9", "what_9")]


async def test_while_it_runs_the_world_goes_on(
    world: World, worker: Worker, stripe_standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refund fails between the list that shows it succeeded and the look into the books: nothing is wrong."""
    org = world.org()
    shop = Shop(stripe_standin, org)
    payment = await shop.sells(1)
    await shop.delivers(world, await shop.tells(payment.refund(1, 100)))
    await shop.shows(payment.refund_object(1, 100))
    take_in = reconciliation._take_in_missing

    async def and_then(*args: Any) -> int:  # noqa: ANN401 - as the original takes them
        taken_in = await take_in(*args)
        await shop.shows(payment.refund_object(1, 100, "failed"))
        await shop.delivers(world, await shop.tells(payment.refund(1, 100, "refund.failed", "failed")))
        return taken_in

    monkeypatch.setattr(reconciliation, "_take_in_missing", and_then)

    await worker.due()

    assert findings(world) == []
    assert world.value("select count(*) from app.health_findings") == 0
    assert world.value("select sum(amount_cents)::integer from public.money_events where type = 'REFUND'") == 0


# -- what may go wrong ------------------------------------------------------------------------------------------------


async def test_an_account_that_cannot_be_seen_holds_up_no_other(
    world: World, worker: Worker, stripe_standin: Standin, logs: Logs
) -> None:
    lost, org = world.org(), world.org()
    await stripe_standin.control("revoke", {"account": lost.account})
    for n, each in enumerate((lost, org)):
        await Shop(stripe_standin, each).sells(n)

    assert await worker.due() == 3

    assert (income(world, lost), income(world, org)) == (0, 90000)
    assert findings(world) == [("account_access_lost", lost.id, lost.account)]
    detail = world.value("select detail from app.health_findings")
    assert detail == {"error": "PermissionError", "status": 403, "code": "account_invalid"}
    assert state(world, lost.account)["reconciled_to"] is None
    assert await worker.due() == 0
    assert lost.account not in logs.text
    # Given back the day after, nothing is lost.
    await stripe_standin.control("revoke", {"account": lost.account, "revoked": False})
    make_due(world)
    await worker.due()
    assert income(world, lost) == 90000
    assert findings(world) == []


async def test_what_was_interrupted_between_two_pages_is_done_again(
    world: World, worker: Worker, stripe_standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    org = world.org()
    shop = Shop(stripe_standin, org)
    for n in range(3):
        await shop.sells(n)
    # Two lists of the platform's; two pages of charges, refunds, disputes, payouts, the first events; all tried twice.
    await stripe_standin.fault("error", calls="reading", status=503, after=8, times=2)

    assert await worker.due() == 2

    assert income(world, org) == 2 * 90000
    assert findings(world) == [("stripe_unavailable", org.id, org.account)]
    row = state(world, org.account)
    assert (row["reconciled_to"], row["failures"], row["claimed_until"]) == (None, 1, None)
    assert timedelta(seconds=30) < row["due_at"] - datetime.now(UTC) <= timedelta(minutes=1)
    make_due(world)
    await worker.due()
    assert income(world, org) == 3 * 90000
    assert findings(world) == []
    assert state(world, org.account)["failures"] == 0


async def test_while_nobody_answers_it_waits_for_one_account_only(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    for _ in range(3):
        world.org()
    await stripe_standin.fault("error", calls="reading", status=503, times=2)

    assert await worker.due() == 1
    assert await worker.due() == 3, "the others with the next tick"


async def test_who_dies_at_it_is_followed_by_another(world: World, worker: Worker) -> None:
    org = world.org()
    claim = "select account_id from app.claim_reconciliation(%s, false)"
    now = datetime.now(UTC)
    taken = {row["account_id"] for _ in range(2) for row in world.rows(claim, now)}
    assert taken == {org.account, "platform"}

    assert await worker.due() == 0
    assert world.rows(claim, now + timedelta(minutes=59)) == []
    assert len(world.rows(claim, now + timedelta(minutes=61))) == 1


async def test_two_at_once_take_different_accounts(world: World) -> None:
    for _ in range(3):
        world.org()
    claim = "select account_id from app.claim_reconciliation(now(), false)"
    async with asyncio.timeout(PATIENCE_S), world.connected(2) as (first, second), first.transaction():
        ones = [await world.ask(first, claim) for _ in range(2)]
        others = [await world.ask(second, claim) for _ in range(2)]
        assert (await (await second.execute(claim)).fetchall()) == []

    assert len({*ones, *others}) == 4


async def test_many_at_once_and_the_webhook_beside_them(world: World, worker: Worker, stripe_standin: Standin) -> None:
    orgs = [world.org() for _ in range(2)]
    shops = [Shop(stripe_standin, org) for org in orgs]
    ids = [await life(shop, n) for n, shop in enumerate(shops)]
    gap = await shops[0].sells(7, told=False)

    await asyncio.gather(
        *(worker.everything() for _ in range(3)),
        worker.due(),
        *(shop.delivers(world, *reversed(each)) for shop, each in zip(shops, ids, strict=True)),
    )

    for org in orgs:
        found = [next(iter(row.values())) for row in world.rows(NET.replace("_[0-9]+", "_[0-9_]+"), org.id)]
        assert found == LIFE
    make_due(world)
    await worker.due()
    assert findings(world) == [("not_in_books", orgs[0].id, gap.intent_id)]


async def test_an_event_that_arrives_while_it_is_taken_in_counts_once(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    org = world.org()
    shop = Shop(stripe_standin, org)
    [charged] = await shop.happens((await shop.sells(1, told=False)).charge())
    async with stripe_standin.http.get(f"{stripe_standin.url}/_control/events") as response:
        [told] = [entry["event"] for entry in await response.json() if entry["event"]["id"] == charged]
    async with world.connected(1) as (webhook,), asyncio.timeout(PATIENCE_S):
        async with webhook.transaction():
            receive = "select app.receive_stripe_event(%s, false)"
            assert await world.ask(webhook, receive, Jsonb(told)) == "applied"
            run = asyncio.create_task(worker.due())
            waits = (
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            while not world.value(waits):  # noqa: ASYNC110 - Postgres tells nobody of its own accord
                await asyncio.sleep(0.01)
        await run

    assert income(world, org) == 90000
    assert world.value("select count(*) from app.webhook_events") == 1
    assert findings(world) == []


async def test_a_key_of_the_other_mode_books_nothing(world: World, worker: Worker, stripe_standin: Standin) -> None:
    """With the test key on live books, every payment would be unknown and every test a payment."""
    live, new = world.org(), world.org()
    books = Books(world)
    told = event(live, "charge.succeeded", 0, _charge("pi_live")) | {"livemode": True}
    assert world.value("select app.receive_stripe_event(%s, true)", Jsonb(told)) == "applied"
    world.db.execute(
        "update app.reconciliations set livemode = true, reconciled_to = now() where account_id = 'platform'"
    )
    for n, org in enumerate((live, new)):
        await Shop(stripe_standin, org).sells(n)

    assert await worker.due() == 3

    assert [row[1] for row in books.money(live) if row[0] == "INCOME"] == ["pi_live"]
    assert books.money(new) == []
    assert findings(world) == [
        ("key_of_other_mode", org_id, account)
        for account, org_id in sorted([(live.account, live.id), (new.account, new.id), ("platform", None)])
    ]


def _charge(intent: str) -> dict[str, Any]:
    return {
        "id": "ch_live", "object": "charge", "status": "succeeded", "captured": True, "amount": 5, "currency": "aud",
        "payment_intent": intent,
    }  # fmt: skip


async def test_an_event_that_cannot_be_stored_holds_up_no_other(
    world: World, worker: Worker, stripe_standin: Standin, logs: Logs
) -> None:
    org = world.org()
    shop = Shop(stripe_standin, org)
    await shop.sells(1)
    odd = await shop.sells(2, told=False)
    await shop.tells(odd.charge(description=f"{CANARY} \0"))
    await shop.sells(3)

    assert await worker.due() == 2

    assert income(world, org) == 2 * 90000
    assert findings(world) == [("not_in_books", org.id, "pi_2")]
    assert CANARY not in logs.text


async def test_what_happened_before_the_account_was_connected_is_not_looked_for(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    org = world.org()
    shop = Shop(stripe_standin, org)
    payment = await shop.sells(1, told=False)
    await shop.shows(payment.charge()["data"]["object"], created=int(datetime.now(UTC).timestamp()) - 60)

    await worker.due()

    assert findings(world) == []
    begin = datetime.now(UTC) - timedelta(days=1)
    await worker.everything(Span(begin, datetime.now(UTC)))
    assert findings(world) == [("not_in_books", org.id, "pi_1")], "unless somebody asks for that time"


async def test_only_what_can_change_something_is_taken_in(
    world: World, worker: Worker, stripe_standin: Standin
) -> None:
    """Stripe tells of much more; customers, for instance, are nothing to keep."""
    org = world.org()
    customer = {"id": "cus_1", "object": "customer", "name": CANARY}
    await Shop(stripe_standin, org).tells(event(org, "customer.updated", 0, customer))
    await stripe_standin.control(
        "emit", {"type": "charge.succeeded", "object": _charge("pi_platform"), "delivery": "none"}
    )

    await worker.due()

    assert world.value("select count(*) from app.webhook_events") == 0


# -- the platform's share ---------------------------------------------------------------------------------------------


async def sold(sidecar: Sidecar, world: World, auth: Auth, standin: Standin, org: Org) -> Any:  # noqa: ANN401 - an id
    """A pack sold through Checkout, told; gives a function that refunds part of it, told to nobody."""
    token = auth.sign_in(org.owner_id)
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    body = json.dumps({"client_id": str(org.client_id), "offer_id": str(org.offer_id)}).encode()
    page = (await sidecar.post("/checkout", body, sent)).json()["url"]
    await standin.control("target", {"public_url": sidecar.url})
    await standin.control("pay", {"session_id": page.rsplit("/", 1)[1]})
    await standin.control("target", {"public_url": "http://127.0.0.1:1"})
    purchase_id = world.value("select id from public.client_purchases where org_id = %s", org.id)

    async def refund(cents: int) -> None:
        body = json.dumps({"purchase_id": str(purchase_id), "amount_cents": cents}).encode()
        answer = await sidecar.post("/refunds", body, sent | {"Idempotency-Key": str(cents)})
        assert answer.status == 201, answer.text

    return refund


SHARES = """
    select amount_cents, client_id is not null as client, stripe_payment_intent_id is not null as intent
      from public.money_events where org_id = %s and type = 'PLATFORM_FEE' order by amount_cents
"""


async def test_the_share_that_went_back_is_in_the_books(
    world: World, worker: Worker, sidecar: Sidecar, auth: Auth, stripe_standin: Standin
) -> None:
    """Stripe tells the platform, not the account; a webhook that hears of accounts alone never hears of it."""
    org = world.org()
    refund = await sold(sidecar, world, auth, stripe_standin, org)
    await refund(10000)
    await refund(30000)

    await worker.due()

    assert [tuple(row.values()) for row in world.rows(SHARES, org.id)] == [
        (-4500, True, True), (500, True, True), (1500, True, True),
    ]  # fmt: skip
    assert world.value("select sum(amount_cents)::integer from public.money_events where type = 'REFUND'") == -40000
    assert findings(world) == []
    months = world.one("select platform_fees_cents, refunds_cents from public.finance_monthly")
    assert tuple(months.values()) == (2500, 40000)


async def test_a_share_that_went_back_and_is_told_by_nobody(
    world: World, worker: Worker, sidecar: Sidecar, auth: Auth, stripe_standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, other = world.org(), world.org()
    refund = await sold(sidecar, world, auth, stripe_standin, org)
    await refund(10000)
    take_in = reconciliation._take_in_missing

    async def of_accounts_alone(*args: Any) -> int:  # noqa: ANN401 - as the original takes them
        return 0 if args[2] is None else await take_in(*args)

    monkeypatch.setattr(reconciliation, "_take_in_missing", of_accounts_alone)
    world.db.execute(
        """
        with given as (
          insert into app.stripe_facts (org_id, object_id, fact, happened_at, amount_cents, currency, payment_key)
          values (%s, 'fr_9', 'fee_refunded', now(), 7, 'aud', 'ch_9') returning *
        )
        insert into public.money_events (org_id, event_date, type, amount_cents, currency, source, reference_id)
        select org_id, happened_at, 'PLATFORM_FEE', amount_cents, currency, 'stripe', object_id from given
        """,
        [other.id],
    )

    await worker.due()

    missing, unknown = findings(world)
    assert (missing[:2], missing[2][:3]) == (("not_in_books", org.id), "fr_")
    assert unknown == ("unknown_to_stripe", other.id, "fr_9")
    monkeypatch.undo()
    make_due(world)
    await worker.due()
    assert findings(world) == [unknown]
    assert [row["amount_cents"] for row in world.rows(SHARES, org.id)] == [-4500, 500]


# -- by command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(world: World, stripe_standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr("sidecar.logging.configure", lambda _: None)  # the test's own stays
    env = {
        "DATABASE_URL": world.url("coach_os_worker"),
        "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
        "STRIPE_API_BASE": stripe_standin.url,
    }

    async def run(*args: str, **changed: str) -> tuple[int, str]:
        # A loop of its own, as the process has.
        done = await asyncio.to_thread(CliRunner().invoke, main, ["money", "reconcile", *args], env=env | changed)
        return done.exit_code, done.output

    return run


async def test_the_command_reports_and_its_exit_code_says_whether_gaps_remain(
    world: World, command: Command, stripe_standin: Standin, logs: Logs
) -> None:
    assert logs is not None
    org = world.org()
    shop = Shop(stripe_standin, org)
    await shop.sells(1)
    gap = await shop.sells(2, told=False)

    status, told = await command()

    assert status == 1
    assert f"{org.account}\t1 events taken in" in told.splitlines()
    [found] = [line.split("\t") for line in told.splitlines() if line.startswith("not_in_books")]
    assert found[1:3] == [str(org.id), "pi_2"]
    assert json.loads(found[4])["lines"][0]["stripe_cents"] == 90000
    assert "1 findings; docs/money.md" in told
    assert income(world, org) == 90000

    await shop.delivers(world, await shop.tells(gap.charge()))
    today = datetime.now(UTC).date()
    status, told = await command("--from", str(today - timedelta(days=1)), "--to", str(today))
    assert (status, told.splitlines()[-1]) == (0, "ok: the books hold what Stripe lists")


async def test_the_command_refuses_what_it_cannot_do(command: Command) -> None:
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=1))
    for args, said in (
        (("--to", "2026-01-01"), "--to needs --from"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--from is after --to"),
        (("--from", tomorrow), "has not come yet"),
        (("--from", "yesterday"), "does not match"),
    ):
        status, told = await command(*args)
        assert (status, said in told) == (2, True), told
    status, told = await command(STRIPE_SECRET_KEY="")
    assert status == 1
    assert "STRIPE_SECRET_KEY is not set" in told
