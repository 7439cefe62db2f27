import asyncio
import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import stripe
from stripe import HTTPXClient, StripeClient

from devstack.standins.server import running
from devstack.standins.stripe import API_VERSION, StripeConfig, create_stripe_app, sign_event
from devstack.standins.stripe_forms import decode_form
from devstack.standins.stripe_objects import format_amount, processing_fee

from .receiver import Delivery, Receiver

# stripe-python 16.1 still hands httpx its form in a way httpx 0.28 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

KEY, SECRET, ACCOUNT = "sk_test_of_the_tests", "whsec_of_the_tests", "acct_1CoachOfTheTests"
PARAMS: Any = {
    "mode": "payment",
    "success_url": "https://coach.example/thanks?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://coach.example/packages",
    "metadata": {"org_id": "org-1", "offer_id": "offer-1"},
    "line_items": [
        {
            "quantity": 1,
            "price_data": {
                "currency": "aud",
                "unit_amount": 50000,
                "product_data": {"name": "Ten <sessions> & more"},
            },
        }
    ],
    "payment_intent_data": {"application_fee_amount": 1650, "metadata": {"org_id": "org-1"}},
}
# Stripe leaves these out unless they are asked for with expand[].
INCLUDABLE = {"line_items", "refunds"}


@dataclass(frozen=True)
class Standin:
    url: str
    client: StripeClient
    http: aiohttp.ClientSession

    async def checkout(self, key: str | None = None, **changed: object) -> stripe.checkout.Session:
        options: Any = {"stripe_account": ACCOUNT, **({"idempotency_key": key} if key else {})}
        params: Any = {**PARAMS, **changed}
        return await self.client.v1.checkout.sessions.create_async(params, options)

    async def session(self, session_id: str, *expand: str) -> stripe.checkout.Session:
        return await self.client.v1.checkout.sessions.retrieve_async(
            session_id, {"expand": list(expand)}, {"stripe_account": ACCOUNT}
        )

    async def control(self, path: str, data: dict[str, Any], status: int = 200) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/_control/{path}", json=data) as response:
            assert response.status == status, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer

    async def pay(self, session_id: str, delivery: str = "now") -> dict[str, Any]:
        return await self.control("pay", {"session_id": session_id, "delivery": delivery})


@pytest.fixture
async def standin(receiver: Receiver, http: aiohttp.ClientSession) -> AsyncIterator[Standin]:
    async with running(create_stripe_app(StripeConfig(KEY, SECRET, receiver.url))) as url:
        client = connect(url)
        yield Standin(url, client, http)
        await close(client)


def connect(url: str, key: str = KEY, retries: int = 0, timeout_s: float = 10) -> StripeClient:
    return StripeClient(
        key,
        base_addresses={"api": url},
        http_client=HTTPXClient(timeout=timeout_s),
        max_network_retries=retries,
    )


async def close(client: StripeClient) -> None:
    http_client: Any = client._requestor._get_http_client()
    await http_client.close_async()


def verify(delivery: Delivery) -> stripe.Event:
    signature = delivery.headers["Stripe-Signature"]
    event: stripe.Event = stripe.Webhook.construct_event(delivery.body, signature, SECRET)
    return event


def assert_documented_fields(resource: stripe.StripeObject) -> None:
    """Every field the pinned version's client knows is there."""
    known = {name for name in type(resource).__annotations__ if name.islower()} - INCLUDABLE
    assert known - set(resource.to_dict()) == set()


def test_the_pinned_version_is_the_clients() -> None:
    assert stripe.api_version == API_VERSION


async def test_a_session_has_the_documented_shape(standin: Standin) -> None:
    session = await standin.checkout()

    assert_documented_fields(session)
    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency) == (50000, "aud")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"org_id": "org-1", "offer_id": "offer-1"}
    assert session.url == f"{standin.url}/pay/{session.id}"
    fetched = await standin.session(session.id, "line_items")
    assert fetched.line_items is not None
    assert [item.description for item in fetched.line_items.data] == ["Ten <sessions> & more"]
    assert_documented_fields(fetched.line_items.data[0])


async def test_accounts_do_not_see_each_other(standin: Standin) -> None:
    session = await standin.checkout()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await standin.client.v1.checkout.sessions.retrieve_async(session.id)

    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_a_refund_is_of_what_is_left_and_is_told(standin: Standin, receiver: Receiver) -> None:
    session = await standin.checkout()
    await standin.pay(session.id, "none")
    session = await standin.session(session.id)
    intent = str(session.payment_intent)
    refunds = standin.client.v1.refunds
    on: stripe.RequestOptions = {"stripe_account": ACCOUNT}
    part: Any = {"payment_intent": intent, "amount": 20000, "refund_application_fee": True}

    first = await refunds.create_async(part, {**on, "idempotency_key": "one"})
    again = await refunds.create_async(part, {**on, "idempotency_key": "one"})

    assert (first.id, first.amount, first.status) == (again.id, 20000, "succeeded")
    for params, code in (
        ({"payment_intent": intent, "amount": 30001}, None),
        ({"payment_intent": intent, "amount": 0}, "parameter_invalid_integer"),
        ({"payment_intent": intent, "reason": "because"}, None),
        ({"payment_intent": "pi_unknown"}, "resource_missing"),
        ({"amount": 1}, "parameter_missing"),
        ({"payment_intent": intent, "sum": 1}, "parameter_unknown"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await refunds.create_async(params, on)  # type: ignore[arg-type]
        assert refused.value.code == code
    await refunds.create_async({"payment_intent": intent}, on)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refunds.create_async({"payment_intent": intent}, on)
    assert refused.value.code == "charge_already_refunded"
    async with asyncio.timeout(10):
        told = [verify(await receiver.next()) for _ in range(5)]
    assert sorted(event.type for event in told) == [
        "application_fee.refunded", *["charge.refunded"] * 2, *["refund.created"] * 2
    ]  # fmt: skip
    assert {event.data.object["amount_refunded"] for event in told if event.type == "charge.refunded"} == {20000, 50000}


async def test_the_share_goes_back_in_proportion_and_the_platform_is_told(standin: Standin, receiver: Receiver) -> None:
    session = await standin.checkout()
    await standin.pay(session.id, "none")
    intent = str((await standin.session(session.id)).payment_intent)
    v1 = standin.client.v1
    given = []
    for amount in (12345, 37655):
        params: Any = {"payment_intent": intent, "amount": amount, "refund_application_fee": True}
        await v1.refunds.create_async(params, {"stripe_account": ACCOUNT})
        async with asyncio.timeout(10):
            events = [verify(await receiver.next()) for _ in range(3)]
        [told] = [event for event in events if event.type == "application_fee.refunded"]
        assert "account" not in told.to_dict()
        given.append(told.data.object)
    first, last = given
    assert_documented_fields(last)
    assert (first.amount, first.amount_refunded, first.refunded, first.account) == (1650, 407, False, ACCOUNT)
    assert (last.amount_refunded, last.refunded) == (1650, True)
    assert [each.amount for each in last.refunds.data] == [1243, 407]

    [fee] = (await v1.application_fees.list_async({"charge": last.charge})).data
    assert fee.id == last.id
    listed = await v1.balance_transactions.list_async({"type": "application_fee_refund", "expand": ["data.source.fee"]})
    sources: list[Any] = [each.source for each in listed.data]
    assert [(each.amount, source.amount) for each, source in zip(listed.data, sources, strict=True)] == [
        (-1243, 1243), (-407, 407)
    ]  # fmt: skip
    assert {(source.fee.account, source.fee.charge) for source in sources} == {(ACCOUNT, last.charge)}


async def test_a_payout_lists_what_it_paid_out(standin: Standin) -> None:
    options: Any = {"stripe_account": ACCOUNT}
    v1 = standin.client.v1
    for _ in range(2):
        await standin.pay((await standin.checkout()).id, "none")
    first = await standin.control("payout", {"account": ACCOUNT, "delivery": "none"})
    await standin.pay((await standin.checkout()).id, "none")
    own = await standin.control("payout", {"account": ACCOUNT, "delivery": "none", "automatic": False})

    payout = await v1.payouts.retrieve_async(first["payout_id"], {}, options)
    parts = await v1.balance_transactions.list_async({"payout": payout.id, "expand": ["data.source"]}, options)

    assert_documented_fields(payout)
    assert (payout.amount, payout.status, payout.automatic) == (2 * 46870, "paid", True)
    assert [each.type for each in parts.data] == ["payout", "charge", "charge"]
    sources: list[Any] = [each.source for each in parts.data]
    assert [source.object for source in sources] == ["payout", "charge", "charge"]
    assert [each.id for each in (await v1.payouts.list_async({}, options)).data] == [own["payout_id"], payout.id]
    assert (await v1.payouts.list_async({})).data == []
    with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic"):
        await v1.balance_transactions.list_async({"payout": own["payout_id"]}, options)
    await standin.control("payout", {"account": ACCOUNT}, 400)


async def test_a_list_is_walked_page_by_page(standin: Standin) -> None:
    options: Any = {"stripe_account": ACCOUNT}
    charges = standin.client.v1.charges
    for n in range(1, 6):
        kept = {"id": f"ch_{n}", "object": "charge", "created": 1000 + n // 2, "payment_intent": f"pi_{n}"}
        await standin.control("keep", {"object": kept, "account": ACCOUNT if n != 5 else "acct_other"})

    async def ids(params: Any) -> list[str]:  # noqa: ANN401 - what the client takes
        listed = await charges.list_async(params, options)
        return [each.id async for each in listed.auto_paging_iter()]

    assert await ids({"limit": 1}) == await ids({}) == ["ch_4", "ch_3", "ch_2", "ch_1"]
    assert await ids({"created": {"gte": 1001, "lt": 1002}, "limit": 1}) == ["ch_3", "ch_2"]
    assert await ids({"created": 1002}) == ["ch_4"]
    assert await ids({"payment_intent": "pi_3"}) == ["ch_3"]
    back = await charges.list_async({"ending_before": "ch_2", "limit": 1}, options)
    assert ([each.id for each in back.data], back.has_more) == (["ch_3"], True)
    for params in ({"limit": 101}, {"limit": 0}, {"starting_after": "ch_5"}, {"colour": "red"}, {"created": {"on": 1}}):
        with pytest.raises(stripe.InvalidRequestError):
            await ids(params)
    many: Any = {"types": ["charge.succeeded"] * 21}
    with pytest.raises(stripe.InvalidRequestError):
        await standin.client.v1.events.list_async(many, options)


async def test_access_to_an_account_can_be_taken_away(standin: Standin) -> None:
    options: Any = {"stripe_account": ACCOUNT}
    await standin.control("revoke", {"account": ACCOUNT})

    with pytest.raises(stripe.PermissionError) as refused:
        await standin.client.v1.charges.list_async({}, options)

    told: Any = refused.value.error  # the library leaves `code` of this one empty
    assert (refused.value.http_status, told.code) == (403, "account_invalid")
    await standin.client.v1.charges.list_async({}, {"stripe_account": "acct_other"})
    await standin.control("revoke", {"account": ACCOUNT, "revoked": False})
    assert (await standin.client.v1.charges.list_async({}, options)).data == []


async def test_an_account_is_onboarded_once_it_was_made(standin: Standin) -> None:
    accounts, links = standin.client.v1.accounts, standin.client.v1.account_links
    made = await accounts.create_async({"type": "standard"}, {"idempotency_key": "connect"})
    assert (made.charges_enabled, made.details_submitted) == (False, False)
    urls: Any = {"refresh_url": "https://coach.example/again", "return_url": "https://coach.example/done"}

    link = await links.create_async(urls | {"account": made.id, "type": "account_onboarding"})

    async with standin.http.get(link.url) as page:
        assert page.status == 200
    await standin.control("onboard", {"account": made.id})
    assert (await accounts.retrieve_async(made.id)).charges_enabled is True
    for wrong in ({"account": "acct_unknown"}, {"type": "other"}, {"return_url": "nowhere"}):
        asked: Any = {"account": made.id, "type": "account_onboarding", **urls, **wrong}
        with pytest.raises(stripe.InvalidRequestError):
            await links.create_async(asked)


async def test_a_subscription_leaves_a_customer_who_has_a_billing_page(standin: Standin) -> None:
    item: Any = copy.deepcopy(PARAMS["line_items"][0])
    item["price_data"]["recurring"] = {"interval": "month", "interval_count": 3}
    changed: dict[str, Any] = {
        "mode": "subscription",
        "line_items": [item],
        "subscription_data": {"application_fee_percent": 3.33, "metadata": {"offer_id": "offer-1"}},
    }
    with pytest.raises(stripe.InvalidRequestError, match="payment_intent_data"):
        await standin.checkout(**changed)
    params: Any = {name: value for name, value in PARAMS.items() if name != "payment_intent_data"} | changed

    session = await standin.client.v1.checkout.sessions.create_async(params, {"stripe_account": ACCOUNT})
    await standin.pay(session.id)

    session = await standin.session(session.id, "subscription", "invoice")
    subscription, invoice = session.subscription, session.invoice
    assert isinstance(subscription, stripe.Subscription)
    assert isinstance(invoice, stripe.Invoice)
    assert (subscription.status, invoice.status, session.payment_intent) == ("active", "paid", None)
    portal = await standin.client.v1.billing_portal.sessions.create_async(
        {"customer": str(session.customer), "return_url": "https://coach.example"}, {"stripe_account": ACCOUNT}
    )
    assert portal.url.startswith(f"{standin.url}/billing/")
    with pytest.raises(stripe.InvalidRequestError):
        await standin.client.v1.billing_portal.sessions.create_async({"customer": str(session.customer)})


async def test_a_wrong_key_is_refused(standin: Standin) -> None:
    client = connect(standin.url, "sk_test_wrong")
    with pytest.raises(stripe.AuthenticationError) as refused:
        await client.v1.checkout.sessions.create_async(PARAMS)
    await close(client)

    assert refused.value.http_status == 401
    assert "wrong" not in str(refused.value)


async def test_another_api_version_is_refused(standin: Standin) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="speaks API version"):
        await standin.client.v1.events.list_async({}, {"stripe_version": "2022-11-15"})


@pytest.mark.parametrize(
    ("changed", "param", "code"),
    [
        ({"success_url": ""}, "success_url", "parameter_missing"),
        ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]", "parameter_missing"),
        ({"mode": "subscription"}, "mode", None),
        ({"colour": "blue"}, "colour", "parameter_unknown"),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]", None),
        ({"metadata": {str(number): "v" for number in range(51)}}, "metadata", None),
    ],
)
async def test_wrong_parameters_are_refused_as_stripe_does(
    standin: Standin, changed: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await standin.checkout(**changed)

    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert refused.value.request_id


async def test_a_platform_fee_needs_a_connected_account(standin: Standin) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await standin.client.v1.checkout.sessions.create_async(PARAMS)

    assert refused.value.param == "payment_intent_data[application_fee_amount]"


async def test_the_same_key_and_parameters_give_the_same_session(standin: Standin) -> None:
    first = await standin.checkout("key-1")
    await standin.pay(first.id, "none")

    again = await standin.checkout("key-1")

    # The saved answer, not today's state of the session.
    assert (again.id, again.status) == (first.id, "open")
    headers: Any = again.last_response
    assert headers.headers["Idempotent-Replayed"] == "true"
    first_headers: Any = first.last_response
    assert "Idempotent-Replayed" not in first_headers.headers


async def test_the_same_key_with_other_parameters_is_refused(standin: Standin) -> None:
    await standin.checkout("key-1")

    with pytest.raises(stripe.IdempotencyError) as refused:
        await standin.checkout("key-1", client_reference_id="another")

    assert refused.value.http_status == 400


async def test_a_key_belongs_to_one_account(standin: Standin) -> None:
    first = await standin.checkout("key-1")
    params: Any = {**PARAMS, "payment_intent_data": {}}

    other = await standin.client.v1.checkout.sessions.create_async(params, {"idempotency_key": "key-1"})

    assert other.id != first.id


async def test_a_refused_request_is_not_saved_under_its_key(standin: Standin) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await standin.checkout("key-1", line_items=[])

    assert (await standin.checkout("key-1")).status == "open"


async def test_a_paid_session_tells_the_webhook(standin: Standin, receiver: Receiver) -> None:
    session = await standin.checkout()

    paid = await standin.pay(session.id)

    assert paid["deliveries"] == [{"status": 200, "error": None}]
    delivery = await receiver.next()
    assert delivery.url == f"{receiver.url}/webhooks/stripe"
    event = verify(delivery)
    assert event.id == paid["event_id"]
    assert (event.type, event.api_version, event.account) == (
        "checkout.session.completed",
        API_VERSION,
        ACCOUNT,
    )
    assert_documented_fields(event)
    completed: Any = event.data.object
    assert_documented_fields(completed)
    assert (completed.status, completed.payment_status, completed.url) == ("complete", "paid", None)
    assert completed.payment_intent.startswith("pi_")
    assert completed.metadata.org_id == "org-1"


async def test_an_event_of_the_platform_has_no_account(standin: Standin, receiver: Receiver) -> None:
    params: Any = {**PARAMS, "payment_intent_data": {}}
    session = await standin.client.v1.checkout.sessions.create_async(params)

    await standin.pay(session.id)

    assert b'"account"' not in (await receiver.next()).body


async def test_a_wrong_secret_does_not_verify(standin: Standin, receiver: Receiver) -> None:
    await standin.pay((await standin.checkout()).id)
    delivery = await receiver.next()

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(delivery.body, delivery.headers["Stripe-Signature"], "whsec_wrong")


@pytest.mark.parametrize("parallel", [False, True])
async def test_redelivery_sends_the_same_bytes(standin: Standin, receiver: Receiver, parallel: bool) -> None:
    paid = await standin.pay((await standin.checkout()).id, "none")
    assert paid["deliveries"] == []

    again = await standin.control("deliver", {"event_id": paid["event_id"], "times": 3, "parallel": parallel})

    assert again["statuses"] == [200, 200, 200]
    deliveries = [await receiver.next() for _ in range(3)]
    assert len({delivery.body for delivery in deliveries}) == 1
    assert {verify(delivery).id for delivery in deliveries} == {paid["event_id"]}


async def test_a_refused_delivery_is_reported_and_kept(standin: Standin, receiver: Receiver) -> None:
    receiver.status = 500

    paid = await standin.pay((await standin.checkout()).id)

    assert paid["deliveries"] == [{"status": 500, "error": None}]
    async with standin.http.get(f"{standin.url}/_control/events") as response:
        [kept] = await response.json()
    assert kept["deliveries"] == [{"status": 500, "error": None}]
    assert kept["event"]["pending_webhooks"] == 1


async def test_a_session_is_paid_once(standin: Standin) -> None:
    session = await standin.checkout()
    paid = await standin.pay(session.id, "none")

    again = await standin.control("pay", {"session_id": session.id}, status=409)

    assert again["event_id"] == paid["event_id"]


async def test_fees_come_from_the_balance_transaction(standin: Standin) -> None:
    session = await standin.checkout()
    await standin.pay(session.id, "none")

    paid = await standin.session(session.id, "payment_intent.latest_charge.balance_transaction")

    intent: Any = paid.payment_intent
    charge, balance = intent.latest_charge, intent.latest_charge.balance_transaction
    for resource in (intent, charge, balance):
        assert_documented_fields(resource)
    assert (intent.status, intent.application_fee_amount) == ("succeeded", 1650)
    assert intent.metadata.org_id == "org-1"
    # 2.9 % of 500.00 and 0.30 for Stripe, 16.50 for the platform.
    assert (balance.amount, balance.fee, balance.net) == (50000, 1480 + 1650, 46870)
    assert {each.type: each.amount for each in balance.fee_details} == {
        "stripe_fee": 1480,
        "application_fee": 1650,
    }

    options: Any = {"stripe_account": ACCOUNT}
    v1 = standin.client.v1
    assert (await v1.charges.retrieve_async(charge.id, {}, options)).balance_transaction == balance.id
    assert (await v1.balance_transactions.retrieve_async(balance.id, {}, options)).net == 46870
    expanded = await v1.payment_intents.retrieve_async(
        intent.id, {"expand": ["latest_charge.balance_transaction"]}, options
    )
    found: Any = expanded.latest_charge
    assert found.balance_transaction.fee == 3130
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await v1.payment_intents.retrieve_async(intent.id, {"expand": ["colour"]}, options)
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        await v1.charges.retrieve_async(intent.id, {}, options)


async def test_events_are_listed_newest_first(standin: Standin) -> None:
    options: Any = {"stripe_account": ACCOUNT}
    ids = [(await standin.pay((await standin.checkout()).id, "none"))["event_id"] for _ in range(3)]
    refund = {"type": "charge.refunded", "object": {"id": "ch_1", "object": "charge"}, "account": ACCOUNT}
    emitted = await standin.control("emit", {**refund, "delivery": "none"})
    events = standin.client.v1.events

    first = await events.list_async({"type": "checkout.session.completed", "limit": 2}, options)
    rest = await events.list_async({"limit": 10, "starting_after": first.data[-1].id}, options)

    assert [event.id for event in first.data] == [ids[2], ids[1]]
    assert first.has_more
    assert [event.id for event in rest.data] == [ids[0]]
    everything = await events.list_async({"created": {"gte": 1}}, options)
    assert [event.id for event in everything.data] == [emitted["event_id"], *reversed(ids)]
    future = everything.data[0].created + 1
    assert (await events.list_async({"created": {"gte": future}}, options)).data == []
    assert (await events.list_async({})).data == []
    assert (await events.retrieve_async(ids[0], {}, options)).type == "checkout.session.completed"


async def test_paying_on_the_page_tells_the_webhook_and_goes_on(standin: Standin, receiver: Receiver) -> None:
    session = await standin.checkout()
    assert session.url is not None
    async with standin.http.get(session.url) as response:
        page = await response.text()
    assert "Ten &lt;sessions&gt; &amp; more" in page
    assert "500.00 AUD" in page
    assert 'href="https://coach.example/packages"' in page

    for _ in range(2):  # an impatient second click pays nothing
        async with standin.http.post(session.url, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == f"https://coach.example/thanks?session={session.id}"

    assert verify(await receiver.next()).type == "checkout.session.completed"
    assert receiver.deliveries.empty()
    assert (await standin.session(session.id)).payment_status == "paid"
    async with standin.http.get(session.url) as response:
        assert "has been paid" in await response.text()


async def test_rate_limits_and_server_errors_record_nothing(standin: Standin) -> None:
    await standin.control("faults", {"mode": "error", "status": 429})
    await standin.control("faults", {"mode": "error", "status": 503})

    with pytest.raises(stripe.RateLimitError) as limited:
        await standin.checkout("key-1")
    with pytest.raises(stripe.APIError) as failed:
        await standin.checkout("key-1")

    headers: Any = limited.value.headers
    assert headers["Retry-After"] == "1"
    assert failed.value.http_status == 503
    session: Any = await standin.checkout("key-1")
    assert "Idempotent-Replayed" not in session.last_response.headers


async def test_a_timeout_never_answers_and_records_nothing(standin: Standin) -> None:
    await standin.control("faults", {"mode": "timeout"})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(standin.checkout("key-1"), 0.2)

    session: Any = await standin.checkout("key-1")
    assert "Idempotent-Replayed" not in session.last_response.headers


async def test_a_late_answer_is_there_for_the_next_try(standin: Standin) -> None:
    await standin.control("faults", {"mode": "late", "delay_s": 60})
    client = connect(standin.url, timeout_s=0.2)

    with pytest.raises(stripe.APIConnectionError):
        await client.v1.checkout.sessions.create_async(PARAMS, {"stripe_account": ACCOUNT, "idempotency_key": "key-1"})
    await close(client)

    session: Any = await standin.checkout("key-1")
    assert session.last_response.headers["Idempotent-Replayed"] == "true"


async def test_a_fault_of_reading_leaves_creating_alone(standin: Standin) -> None:
    await standin.control("faults", {"mode": "error", "status": 500, "calls": "reading"})
    await standin.control("faults", {"mode": "colour", "calls": "reading"}, 400)
    await standin.control("faults", {"mode": "error", "calls": "both"}, 400)
    client = connect(standin.url)

    session = await standin.checkout()
    with pytest.raises(stripe.APIError):
        await client.v1.checkout.sessions.retrieve_async(session.id, None, {"stripe_account": ACCOUNT})
    await close(client)

    assert (await standin.session(session.id)).id == session.id


async def test_a_dropped_connection_was_accepted(standin: Standin) -> None:
    await standin.control("faults", {"mode": "drop"})

    with pytest.raises(stripe.APIConnectionError):
        await standin.checkout("key-1")

    session: Any = await standin.checkout("key-1")
    assert session.last_response.headers["Idempotent-Replayed"] == "true"


async def test_the_clients_own_retry_finds_the_dropped_session(standin: Standin) -> None:
    await standin.control("faults", {"mode": "drop"})
    client = connect(standin.url, retries=1)

    session: Any = await client.v1.checkout.sessions.create_async(PARAMS, {"stripe_account": ACCOUNT})
    await close(client)

    assert session.last_response.headers["Idempotent-Replayed"] == "true"


async def test_reset_forgets_everything(standin: Standin) -> None:
    session = await standin.checkout("key-1")
    await standin.pay(session.id, "none")

    await standin.control("reset", {})

    assert (await standin.checkout("key-1")).id != session.id
    async with standin.http.get(f"{standin.url}/_control/events") as response:
        assert await response.json() == []


def test_a_signature_is_over_time_and_payload() -> None:
    signature = sign_event(b'{"id": "evt_1"}', "whsec_known", 1700000000)

    assert stripe.WebhookSignature.verify_header('{"id": "evt_1"}', signature, "whsec_known")
    assert signature.startswith("t=1700000000,v1=")


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("a=1&b[c]=2&b[d][e]=3", {"a": "1", "b": {"c": "2", "d": {"e": "3"}}}),
        ("x[1][n]=b&x[0][n]=a&e[]=p&e[]=q", {"x": [{"n": "a"}, {"n": "b"}], "e": ["p", "q"]}),
        ("m[k]=a%26b%3Dc&empty=", {"m": {"k": "a&b=c"}, "empty": ""}),
    ],
)
def test_nested_forms_are_decoded(text: str, decoded: dict[str, Any]) -> None:
    assert decode_form(text) == decoded


@pytest.mark.parametrize(("amount", "fee"), [(1000, 59), (50000, 1480), (50, 31), (500, 45)])
def test_the_processing_fee(amount: int, fee: int) -> None:
    assert processing_fee(amount) == fee


def test_amounts_for_people() -> None:
    assert format_amount(123456, "aud") == "1,234.56 AUD"
    assert format_amount(500, "jpy") == "500 JPY"
