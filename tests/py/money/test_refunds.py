"""POST /refunds: never more than is left, never twice by accident, twice on purpose."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conftest import Answer, Auth, Org, Sidecar, Standin, World

    Paid = Callable[..., Awaitable["Payment"]]

STRIPE_KEY = "sk_test_of_the_tests"


class Payment:
    """A pack that was paid through the stand-in, and who may refund it."""

    def __init__(self, sidecar: Sidecar, standin: Standin, org: Org, purchase_id: UUID, token: str) -> None:
        self.sidecar, self.standin, self.org, self.id, self.token = sidecar, standin, org, purchase_id, token

    async def refund(self, amount: int | None = None, key: str | None = None, **more: object) -> Answer:
        body: dict[str, Any] = {"purchase_id": str(self.id)} | more
        if amount is not None:
            body["amount_cents"] = amount
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        if key is not None:
            sent["Idempotency-Key"] = key
        return await self.sidecar.post("/refunds", json.dumps(body).encode(), sent)

    async def at_stripe(self) -> list[dict[str, Any]]:
        """Every refund that Stripe has made, oldest first, as its event tells it."""
        async with self.standin.http.get(f"{self.standin.url}/_control/events") as response:
            events = [entry["event"] for entry in await response.json()]
        return [event["data"]["object"] for event in events if event["type"] == "refund.created"]


@pytest.fixture
def paid(sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin) -> Paid:
    async def pay(role: str = "owner") -> Payment:
        org = world.org()
        token = auth.sign_in(org.owner_id)
        await stripe_standin.control("target", {"public_url": sidecar.url})
        body = json.dumps({"client_id": str(org.client_id), "offer_id": str(org.offer_id)}).encode()
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        page = (await sidecar.post("/checkout", body, sent)).json()["url"]
        await stripe_standin.control("pay", {"session_id": page.rsplit("/", 1)[1]})
        await stripe_standin.control("target", {"public_url": "http://127.0.0.1:1"})
        purchase_id = world.value("select id from public.client_purchases where org_id = %s", org.id)
        if role != "owner":
            token = auth.sign_in(world.member(org, role))
        return Payment(sidecar, stripe_standin, org, purchase_id, token)

    return pay


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.json().get("code")) == (status, code), answer.text
    assert answer.json()["message"].endswith(".")


@pytest.mark.parametrize("role", ["owner", "staff"])
async def test_all_that_is_left_goes_back(paid: Paid, world: World, role: str) -> None:
    payment = await paid(role)

    answer = await payment.refund(reason="requested_by_customer")

    assert answer.status == 201, answer.text
    assert (answer.json()["amount_cents"], answer.json()["currency"]) == (90000, "aud")
    [made] = await payment.at_stripe()
    assert (made["amount"], made["reason"]) == (90000, "requested_by_customer")
    assert made["metadata"] == {
        "refund_id": answer.json()["refund_id"],
        "purchase_id": str(payment.id),
        "org_id": str(payment.org.id),
    }
    row = world.one("select id, status, stripe_refund_id from app.refunds")
    assert row == {"id": UUID(answer.json()["refund_id"]), "status": "sent", "stripe_refund_id": made["id"]}
    # The books are the webhook's to write.
    assert world.rows("select from public.money_events where type = 'REFUND'") == []


async def test_a_double_click_is_one_refund(paid: Paid, world: World) -> None:
    payment = await paid()

    clicks = await asyncio.gather(*(payment.refund(20000) for _ in range(6)))

    assert {answer.status for answer in clicks} == {201}
    assert len({answer.text for answer in clicks}) == 1
    assert [made["amount"] for made in await payment.at_stripe()] == [20000]
    assert world.value("select count(*) from app.refunds") == 1


async def test_two_equal_parts_on_purpose_are_two(paid: Paid) -> None:
    payment = await paid()

    first, again = await payment.refund(20000, "first"), await payment.refund(20000, "first")
    second = await payment.refund(20000, "second")

    assert first.text == again.text
    assert second.json()["refund_id"] != first.json()["refund_id"]
    assert [made["amount"] for made in await payment.at_stripe()] == [20000, 20000]
    refused(await payment.refund(30000, "first"), 409, "idempotency_key_reused")
    refused(await payment.refund(20000, "k" * 256), 400, "idempotency_key_invalid")


async def test_later_an_equal_part_is_another(paid: Paid, world: World) -> None:
    payment = await paid()
    await payment.refund(20000)
    world.db.execute("update app.refunds set created_at = created_at - interval '10 minutes'")

    assert (await payment.refund(20000)).status == 201

    assert [made["amount"] for made in await payment.at_stripe()] == [20000, 20000]


async def test_never_more_than_is_left_however_many_ask(paid: Paid, world: World) -> None:
    payment = await paid()

    answers = await asyncio.gather(*(payment.refund(20000, f"key {number}") for number in range(8)))

    assert sorted(answer.status for answer in answers) == [201] * 4 + [409] * 4
    for answer in answers:
        if answer.status == 409:
            refused(answer, 409, "refund_exceeds_payment")
    assert sum(made["amount"] for made in await payment.at_stripe()) == 80000
    assert (await payment.refund()).json()["amount_cents"] == 10000
    refused(await payment.refund(1), 409, "refund_exceeds_payment")
    assert world.value("select sum(amount_cents) from app.refunds where status = 'sent'") == 90000


@pytest.mark.parametrize("ends", ["commit", "rollback"])
@pytest.mark.parametrize("key", [None, "another"])
async def test_the_second_request_waits_for_the_first(world: World, key: str | None, ends: str) -> None:
    org = world.org()
    purchase_id = world.pack(org)
    world.db.execute("update public.client_purchases set stripe_payment_intent_id = 'pi_1'")
    begin = "select app.begin_refund(%s, %s, 60000, null, %s, now()) ->> 'id'"
    async with await world.connect("coach_os_sidecar") as first, await world.connect("coach_os_sidecar") as second:
        await first.execute("begin")
        refund_id = await world.ask(first, begin, org.owner_id, purchase_id, None)
        other = asyncio.create_task(world.ask(second, begin, org.owner_id, purchase_id, key))
        await world.until_blocked(second)
        await first.execute(ends)
        if ends == "commit" and key is not None:
            with pytest.raises(psycopg.Error, match="refund_exceeds_payment"):
                await other
        else:
            assert (await other == refund_id) is (ends == "commit")

    assert world.value("select sum(amount_cents) from app.refunds") == 60000


async def test_one_key_for_two_payments_at_once_is_refused(world: World) -> None:
    org = world.org()
    packs = [world.pack(org), world.pack(org)]
    world.db.execute("update public.client_purchases set stripe_payment_intent_id = 'pi_' || id")
    begin = "select app.begin_refund(%s, %s, 60000, null, 'one key', now()) ->> 'id'"
    async with await world.connect("coach_os_sidecar") as first, await world.connect("coach_os_sidecar") as second:
        async with first.transaction():
            await world.ask(first, begin, org.owner_id, packs[0])
            other = asyncio.create_task(world.ask(second, begin, org.owner_id, packs[1]))
            await world.until_blocked(second)
        with pytest.raises(psycopg.Error, match="idempotency_key_reused"):
            await other


async def test_what_was_refunded_in_the_dashboard_is_not_left(paid: Paid, world: World) -> None:
    payment = await paid()
    world.db.execute(
        "insert into public.money_events (org_id, event_date, type, amount_cents, source, reference_id, client_id,"
        " stripe_payment_intent_id)"
        " select org_id, now(), 'REFUND', -60000, 'stripe', 're_dashboard', client_id, stripe_payment_intent_id"
        "   from public.client_purchases"
    )

    refused(await payment.refund(30001), 409, "refund_exceeds_payment")
    assert (await payment.refund()).json()["amount_cents"] == 30000


@pytest.mark.parametrize("fault", ["error", "drop"])
async def test_after_silence_the_same_request_is_the_same_refund(paid: Paid, world: World, fault: str) -> None:
    """`drop`: Stripe has refunded, and its answer was lost every time."""
    payment = await paid()
    await payment.standin.fault(fault, times=3, status=500)
    refused(await payment.refund(20000), 502, "stripe_unavailable")
    assert world.value("select status from app.refunds") == "requested"
    world.db.execute("update app.refunds set created_at = created_at - interval '1 hour'")

    answer = await payment.refund(20000)

    assert answer.status == 201, answer.text
    assert [made["amount"] for made in await payment.at_stripe()] == [20000]
    assert world.value("select status from app.refunds") == "sent"


async def test_a_day_after_silence_stripe_has_to_be_looked_at(paid: Paid, world: World) -> None:
    payment = await paid()
    await payment.standin.fault("drop", times=3)
    await payment.refund(20000)
    world.db.execute("update app.refunds set created_at = created_at - interval '1 day'")

    refused(await payment.refund(20000), 409, "refund_unsettled")

    assert len(await payment.at_stripe()) == 1


async def test_what_stripe_refuses_is_left_again(paid: Paid, world: World) -> None:
    payment = await paid()
    await payment.standin.fault("error", status=400)

    refused(await payment.refund(20000), 409, "refund_refused")

    assert world.value("select status from app.refunds") == "failed"
    assert (await payment.refund()).json()["amount_cents"] == 90000


@pytest.mark.parametrize("who", ["stranger", "another owner", "accountant_readonly", "nobody"])
async def test_only_the_orgs_own_may_refund(paid: Paid, world: World, auth: Auth, who: str) -> None:
    payment = await paid()
    match who:
        case "stranger":
            payment.token = auth.sign_in(world.user())
        case "another owner":
            payment.token = auth.sign_in(world.org().owner_id)
        case "nobody":
            payment.token = "no token"
        case role:
            payment.token = auth.sign_in(world.member(payment.org, role))

    answer = await payment.refund()

    refused(answer, *((401, "sign_in_required") if who == "nobody" else (404, "purchase_not_found")))
    assert world.rows("select from app.refunds") == []
    assert await payment.at_stripe() == []


async def test_requests_that_make_no_sense_are_refused(paid: Paid, world: World) -> None:
    payment = await paid()

    for amount in (0, -1):
        refused(await payment.refund(amount), 400, "amount_invalid")
    refused(await payment.refund(2**63), 400, "value_invalid")
    refused(await payment.refund(reason="because"), 400, "reason_invalid")
    refused(await payment.refund(reason="\0"), 400, "value_invalid")
    assert (await payment.refund(amount_cents="much")).status == 400
    payment.id = world.value(
        "insert into public.client_purchases (org_id, client_id, offer_id, amount_paid_cents, payment_status,"
        " payment_method) values (%s, %s, %s, 100, 'succeeded', 'cash') returning id",
        payment.org.id, payment.org.client_id, payment.org.offer_id,
    )  # fmt: skip
    refused(await payment.refund(), 409, "not_paid_through_stripe")
    payment.id = uuid4()
    refused(await payment.refund(), 404, "purchase_not_found")
    assert await payment.at_stripe() == []
