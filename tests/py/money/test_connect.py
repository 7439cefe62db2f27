"""POST /connect and /customer-portal: one account an org, and a page for the client who subscribed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

if TYPE_CHECKING:
    import aiohttp
    from conftest import Answer, Auth, Org, Sidecar, Standin, World

STRIPE_KEY = "sk_test_of_the_tests"


async def post(sidecar: Sidecar, path: str, token: str | None, **body: object) -> Answer:
    sent = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return await sidecar.post(path, json.dumps(body, default=str).encode(), sent)


async def account(standin: Standin, account_id: str) -> dict[str, Any]:
    sent = {"Authorization": f"Bearer {STRIPE_KEY}"}
    async with standin.http.get(f"{standin.url}/v1/accounts/{account_id}", headers=sent) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.json().get("code")) == (status, code), answer.text
    assert answer.json()["message"].endswith(".")


# -- connect ----------------------------------------------------------------------------------------------------------


async def test_two_clicks_at_once_make_one_account(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org = world.org(connected=False)
    token = auth.sign_in(org.owner_id)

    answers = await asyncio.gather(*(post(sidecar, "/connect", token, org_id=org.id) for _ in range(5)))

    assert {answer.status for answer in answers} == {201}, answers[0].text
    row = world.one("select * from public.stripe_accounts")
    assert (row["org_id"], row["charges_enabled"], row["details_submitted"]) == (org.id, False, False)
    assert {answer.json()["url"] for answer in answers} == {f"{stripe_standin.url}/connect/{row['stripe_account_id']}"}
    made = await account(stripe_standin, row["stripe_account_id"])
    assert (made["type"], made["metadata"]) == ("standard", {"org_id": str(org.id)})


async def test_later_the_link_is_to_the_same_account(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org = world.org(connected=False)
    token = auth.sign_in(org.owner_id)
    first = (await post(sidecar, "/connect", token, org_id=org.id)).json()["url"]
    await stripe_standin.control("reset", {})  # as Stripe forgets its idempotency keys
    refused(await post(sidecar, "/connect", token, org_id=org.id), 502, "stripe_unavailable")

    assert world.value("select stripe_account_id from public.stripe_accounts") == first.rsplit("/", 1)[1]


@pytest.mark.parametrize("fault", ["error", "drop"])
async def test_after_silence_the_next_click_finds_the_one_account(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, fault: str
) -> None:
    org = world.org(connected=False)
    token = auth.sign_in(org.owner_id)
    await stripe_standin.fault(fault, times=3, status=503)
    refused(await post(sidecar, "/connect", token, org_id=org.id), 502, "stripe_unavailable")
    assert world.rows("select from public.stripe_accounts") == []

    answer = await post(sidecar, "/connect", token, org_id=org.id)

    assert answer.status == 201, answer.text
    assert answer.json()["url"].endswith(world.value("select stripe_account_id from public.stripe_accounts"))


@pytest.mark.parametrize("who", ["staff", "accountant_readonly", "stranger", "another owner", "nobody"])
async def test_only_the_owner_connects(sidecar: Sidecar, world: World, auth: Auth, who: str) -> None:
    org = world.org(connected=False)
    match who:
        case "stranger":
            token = auth.sign_in(world.user())
        case "another owner":
            token = auth.sign_in(world.org().owner_id)
        case "nobody":
            token = "no token"
        case role:
            token = auth.sign_in(world.member(org, role))

    answer = await post(sidecar, "/connect", token, org_id=org.id)

    refused(answer, *((401, "sign_in_required") if who == "nobody" else (404, "org_not_found")))
    assert world.rows("select from public.stripe_accounts where org_id = %s", org.id) == []


async def test_what_the_owner_tells_stripe_is_told_here(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, http: aiohttp.ClientSession
) -> None:
    org = world.org(connected=False)
    page = (await post(sidecar, "/connect", auth.sign_in(org.owner_id), org_id=org.id)).json()["url"]
    async with http.post(page, allow_redirects=False) as response:
        assert response.headers["Location"] == "https://app.coach.example/settings?stripe=return"
    async with http.get(f"{stripe_standin.url}/_control/events") as response:
        [told] = [entry["event"] for entry in await response.json()]
    assert (told["type"], told["account"]) == ("account.updated", page.rsplit("/", 1)[1])
    assert (told["data"]["object"]["charges_enabled"], told["data"]["object"]["details_submitted"]) == (True, True)


async def test_who_disconnects_can_connect_again(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    """Stripe refuses the platform a disconnected account: going on with it would never end."""
    org = world.org(connected=False)
    token = auth.sign_in(org.owner_id)
    await post(sidecar, "/connect", token, org_id=org.id)
    first = world.value("select stripe_account_id from public.stripe_accounts")
    await stripe_standin.control("target", {"public_url": sidecar.url})
    told = await stripe_standin.control(
        "emit",
        {
            "type": "account.application.deauthorized",
            "object": {"id": "ca_1", "object": "application"},
            "account": first,
        },
    )
    assert world.value("select disconnected_at is not null from public.stripe_accounts"), told

    answers = await asyncio.gather(*(post(sidecar, "/connect", token, org_id=org.id) for _ in range(5)))

    assert {answer.status for answer in answers} == {201}, answers[0].text
    second = world.value("select stripe_account_id from public.stripe_accounts")
    assert second != first
    assert {answer.json()["url"] for answer in answers} == {f"{stripe_standin.url}/connect/{second}"}
    assert world.one("select * from public.stripe_accounts")["disconnected_at"] is None


# -- the client's billing page ----------------------------------------------------------------------------------------


async def subscriber(sidecar: Sidecar, world: World, auth: Auth, standin: Standin) -> tuple[Org, str, UUID]:
    """An org whose client has paid for a subscription, its owner's token, and the client's portal link."""
    org = world.org()
    token = auth.sign_in(org.owner_id)
    world.db.execute("update public.offers set offer_type = 'subscription', billing_period = 'monthly'")
    answer = await post(sidecar, "/checkout", token, client_id=org.client_id, offer_id=org.offer_id)
    session_id = answer.json()["url"].rsplit("/", 1)[1]
    await standin.control("pay", {"session_id": session_id, "delivery": "none"})
    sent = {"Authorization": f"Bearer {STRIPE_KEY}", "Stripe-Account": org.account}
    async with standin.http.get(f"{standin.url}/v1/checkout/sessions/{session_id}", headers=sent) as response:
        customer = (await response.json())["customer"]
    world.db.execute("delete from public.subscriptions")
    world.db.execute(
        "insert into public.subscriptions (org_id, client_id, stripe_customer_id) values (%s, %s, %s)",
        [org.id, org.client_id, customer],
    )
    link = world.value("update public.clients set portal_token = gen_random_uuid() returning portal_token")
    return org, token, link


async def test_a_subscribers_billing_page(sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin) -> None:
    org, token, link = await subscriber(sidecar, world, auth, stripe_standin)

    coachs = await post(sidecar, "/customer-portal", token, client_id=org.client_id)
    own = await post(sidecar, "/customer-portal", None, portal_token=link)

    for answer in (coachs, own):
        assert answer.status == 201, answer.text
        assert answer.json()["url"].startswith(f"{stripe_standin.url}/billing/bps_")


async def test_nobody_elses_billing_page(sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin) -> None:
    org, token, _ = await subscriber(sidecar, world, auth, stripe_standin)
    other = auth.sign_in(world.org().owner_id)
    books = auth.sign_in(world.member(org, "accountant_readonly"))

    for who in (other, books):
        answer = await post(sidecar, "/customer-portal", who, client_id=org.client_id)
        refused(answer, 404, "client_not_found")
    refused(await post(sidecar, "/customer-portal", None, client_id=org.client_id), 401, "sign_in_required")
    refused(await post(sidecar, "/customer-portal", None, portal_token=uuid4()), 404, "token_not_found")
    refused(await post(sidecar, "/customer-portal", token), 400, "client_missing")
    never = world.client(org, "+61491570999")
    refused(await post(sidecar, "/customer-portal", token, client_id=never), 409, "no_stripe_customer")


async def test_while_stripe_is_down_there_is_no_billing_page(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org, token, _ = await subscriber(sidecar, world, auth, stripe_standin)
    await stripe_standin.fault("error", times=3, status=500)

    refused(await post(sidecar, "/customer-portal", token, client_id=org.client_id), 502, "stripe_unavailable")
