"""POST /checkout: a coach sells an offer to a client of their own, or the client buys it from the portal."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

if TYPE_CHECKING:
    import aiohttp
    from conftest import Answer, Auth, Logs, Org, Sidecar, Standin, World

STRIPE_KEY = "sk_test_of_the_tests"
CANARY = "canary-81c0de"


async def sell(sidecar: Sidecar, token: str | None, client_id: UUID, offer_id: UUID) -> Answer:
    sent = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token is not None else {})
    body = json.dumps({"client_id": str(client_id), "offer_id": str(offer_id)}).encode()
    return await sidecar.post("/checkout", body, sent)


async def buy(sidecar: Sidecar, portal_token: UUID | str, offer_id: UUID, **more: object) -> Answer:
    """As the portal asks: nobody is signed in."""
    body = json.dumps({"portal_token": str(portal_token), "offer_id": str(offer_id)} | more).encode()
    return await sidecar.post("/checkout", body, {"Content-Type": "application/json"})


def portal(world: World, org: Org) -> UUID:
    token: UUID = world.value(
        "update public.clients set portal_token = gen_random_uuid() where id = %s returning portal_token", org.client_id
    )
    return token


def code(world: World, org: Org, percent: int = 10, max_uses: int | None = None) -> UUID:
    code_id: UUID = world.value(
        "insert into public.promo_codes (org_id, code, discount_type, discount_value, max_uses)"
        " values (%s, 'SPRING', 'percentage', %s, %s) returning id",
        org.id, percent, max_uses,
    )  # fmt: skip
    return code_id


async def fetch(standin: Standin, http: aiohttp.ClientSession, path: str, account: str) -> tuple[int, dict[str, Any]]:
    sent = {"Authorization": f"Bearer {STRIPE_KEY}", "Stripe-Account": account}
    async with http.get(f"{standin.url}/v1/{path}", headers=sent) as response:
        return response.status, await response.json()


async def test_a_coach_opens_a_payment_page(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, http: aiohttp.ClientSession
) -> None:
    org = world.org(commission="0.0333")

    answer = await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)

    assert answer.status == 201, answer.text
    page = answer.json()["url"]
    assert page.startswith(f"{stripe_standin.url}/pay/cs_test_")
    session_id = page.rsplit("/", 1)[1]
    row = world.one("select id, org_id, client_id, offer_id, stripe_session_id, url, status from app.checkouts")
    assert row == {
        "id": UUID(answer.json()["checkout_id"]),
        "org_id": org.id,
        "client_id": org.client_id,
        "offer_id": org.offer_id,
        "stripe_session_id": session_id,
        "url": page,
        "status": "open",
    }
    assert answer.json()["granted"] is False
    # On the coach's own account, and on no other.
    status, session = await fetch(
        stripe_standin, http, f"checkout/sessions/{session_id}?expand[]=line_items", org.account
    )
    assert status == 200
    assert (await fetch(stripe_standin, http, f"checkout/sessions/{session_id}", "acct_another"))[0] == 404
    assert (session["amount_total"], session["currency"], session["mode"]) == (90000, "aud", "payment")
    assert session["client_reference_id"] == str(org.client_id)
    metadata = {"org_id": str(org.id), "client_id": str(org.client_id), "offer_id": str(org.offer_id)}
    metadata |= {"checkout_id": answer.json()["checkout_id"]}
    assert session["metadata"] == metadata
    assert session["line_items"]["data"][0]["description"] == "Ten sessions"
    assert session["success_url"].startswith("https://app.coach.example/")
    # The platform's share, and what later events about the payment alone will carry.
    await stripe_standin.control("pay", {"session_id": session_id, "delivery": "none"})
    _, session = await fetch(stripe_standin, http, f"checkout/sessions/{session_id}", org.account)
    _, intent = await fetch(stripe_standin, http, f"payment_intents/{session['payment_intent']}", org.account)
    assert (intent["application_fee_amount"], intent["metadata"]) == (2997, metadata)


async def test_staff_may_sell_too(sidecar: Sidecar, world: World, auth: Auth) -> None:
    org = world.org()

    answer = await sell(sidecar, auth.sign_in(world.member(org, "staff")), org.client_id, org.offer_id)

    assert answer.status == 201


async def test_what_was_sold_here_is_granted_by_the_event(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org = world.org()
    await stripe_standin.control("target", {"public_url": sidecar.url})
    page = (await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)).json()["url"]

    paid = await stripe_standin.control("pay", {"session_id": page.rsplit("/", 1)[1]})

    assert [delivery["status"] for delivery in paid["deliveries"]] == [200]
    found = world.one("select client_id, sessions_remaining from public.client_purchases")
    assert found == {"client_id": org.client_id, "sessions_remaining": 10}


async def test_a_client_buys_from_the_portal_with_a_code(
    sidecar: Sidecar, world: World, stripe_standin: Standin, http: aiohttp.ClientSession
) -> None:
    org = world.org()
    token, code_id = portal(world, org), code(world, org)
    world.db.execute("update public.booking_settings set pass_stripe_fees = true")

    answer = await buy(sidecar, token, org.offer_id, promo_code="spring")

    assert answer.status == 201, answer.text
    session_id = answer.json()["url"].rsplit("/", 1)[1]
    _, session = await fetch(stripe_standin, http, f"checkout/sessions/{session_id}", org.account)
    # 81000 and what 1.7 % and 30 cents of the total are.
    assert session["amount_total"] == 82431
    assert session["metadata"]["promo_code_id"] == str(code_id)
    assert session["metadata"]["discount_cents"] == "9000"
    assert session["success_url"] == f"https://app.coach.example/portal/{token}?purchased=1"
    assert world.value("select times_used from public.promo_codes") == 1


async def test_a_double_click_is_one_page(sidecar: Sidecar, world: World, auth: Auth) -> None:
    org = world.org()
    token, link = auth.sign_in(org.owner_id), portal(world, org)
    code(world, org, max_uses=1)

    clicks = [buy(sidecar, link, org.offer_id, promo_code="SPRING") for _ in range(6)]
    answers = await asyncio.gather(*clicks)

    assert {answer.status for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert world.value("select count(*) from app.checkouts") == 1
    assert world.value("select times_used from public.promo_codes") == 1
    # Without the code it is another sale, and the coach is shown the page that the client has open.
    assert (await buy(sidecar, link, org.offer_id)).json()["url"] != answers[0].json()["url"]
    mine = (await sell(sidecar, token, org.client_id, org.offer_id)).json()["url"]
    assert mine == (await buy(sidecar, link, org.offer_id)).json()["url"]


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_the_second_click_waits_for_the_first(world: World, ends: str) -> None:
    org = world.org()
    begin = "select app.begin_checkout(%s, %s, null, %s, null, now()) ->> 'id'"
    asked = [org.owner_id, org.client_id, org.offer_id]
    async with await world.connect("coach_os_sidecar") as first, await world.connect("coach_os_sidecar") as second:
        await first.execute("begin")
        checkout_id = await world.ask(first, begin, *asked)
        other = asyncio.create_task(world.ask(second, begin, *asked))
        await world.until_blocked(second)
        await first.execute(ends)
        assert (await other == checkout_id) is (ends == "commit")

    assert world.value("select count(*) from app.checkouts") == 1


async def test_the_last_use_of_a_code_is_given_once(sidecar: Sidecar, world: World) -> None:
    org = world.org()
    code(world, org, max_uses=1)
    links = [portal(world, org)]
    for _ in range(5):
        client_id = world.client(org, "+61491570999")
        links.append(
            world.value(
                "update public.clients set portal_token = gen_random_uuid() where id = %s returning portal_token",
                client_id,
            )
        )

    answers = await asyncio.gather(*(buy(sidecar, link, org.offer_id, promo_code="SPRING") for link in links))

    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "promo_code_used_up"}
    assert world.value("select count(*) from app.checkouts") == 1


async def test_what_costs_nothing_is_given_without_stripe(sidecar: Sidecar, world: World) -> None:
    org = world.org(connected=False)
    code(world, org, percent=100)
    link = portal(world, org)

    answers = [await buy(sidecar, link, org.offer_id, promo_code="SPRING") for _ in range(2)]

    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].status == 201
    assert (answers[0].json()["url"], answers[0].json()["granted"]) == (None, True)
    found = world.one("select amount_paid_cents, discount_cents, sessions_remaining from public.client_purchases")
    assert found == {"amount_paid_cents": 0, "discount_cents": 90000, "sessions_remaining": 10}
    assert world.rows("select from public.money_events") == []


async def test_a_subscription_is_paid_again_and_again(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, http: aiohttp.ClientSession
) -> None:
    org = world.org(commission="0.0333")
    world.db.execute("update public.offers set offer_type = 'subscription', billing_period = 'fortnightly'")

    answer = await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)

    assert answer.status == 201, answer.text
    session_id = answer.json()["url"].rsplit("/", 1)[1]
    await stripe_standin.control("pay", {"session_id": session_id, "delivery": "none"})
    _, session = await fetch(
        stripe_standin, http, f"checkout/sessions/{session_id}?expand[]=line_items&expand[]=subscription", org.account
    )
    recurring = session["line_items"]["data"][0]["price"]["recurring"]
    assert (recurring["interval"], recurring["interval_count"]) == ("week", 2)
    # A session with an offer is a pack; this one only says who.
    assert "offer_id" not in session["metadata"]
    subscription = session["subscription"]
    assert Decimal(subscription["application_fee_percent"]) == Decimal("3.33")
    assert subscription["metadata"]["offer_id"] == str(org.offer_id)


async def test_the_web_app_may_call_from_the_browser(sidecar: Sidecar) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    for origin, allowed in (("https://app.coach.example", True), ("https://evil.example", False)):
        answer = await sidecar.post("/checkout", headers={"Origin": origin, **asked}, method="OPTIONS")
        assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is allowed
        real = await sidecar.post("/checkout", b"{}", {"Origin": origin, "Content-Type": "application/json"})
        assert real.status == 400
        assert (real.headers.get("Access-Control-Allow-Origin") == origin) is allowed


# -- refused ----------------------------------------------------------------------------------------------------------


async def assert_refused(answer: Answer, world: World, standin: Standin, status: int, code: str) -> None:
    """Refused with a sentence, and neither we nor Stripe keep anything."""
    assert (answer.status, answer.json().get("code")) == (status, code), answer.text
    assert answer.json()["message"].endswith(".")
    assert world.rows("select from app.checkouts") == []
    async with standin.http.get(f"{standin.url}/_control/events") as response:
        assert await response.json() == []


NO_TOKEN = [
    None,
    "",
    "Bearer",
    "Bearer ",
    f"Bearer {CANARY}",
    f"Basic {CANARY}",
    CANARY,
    f"Bearer {CANARY} {CANARY}",
    f"Bearer {CANARY}\u00e9",
]


async def test_without_a_valid_token_nothing_is_sold(
    sidecar: Sidecar, world: World, stripe_standin: Standin, logs: Logs, subtests: pytest.Subtests
) -> None:
    org = world.org()
    body = json.dumps({"client_id": str(org.client_id), "offer_id": str(org.offer_id)}).encode()
    for authorization in NO_TOKEN:
        with subtests.test(ascii(authorization)):
            sent = {"Authorization": authorization} if authorization is not None else {}

            answer = await sidecar.post("/checkout", body, {"Content-Type": "application/json"} | sent)

            await assert_refused(answer, world, stripe_standin, 401, "sign_in_required")
            assert CANARY not in logs.text + answer.text


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_while_supabase_auth_fails_nobody_is_told_to_sign_in(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, status: int
) -> None:
    """A page that hears 401 signs the coach out; their token may be as good as ever."""
    org = world.org()
    auth.status = status

    answer = await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)

    await assert_refused(answer, world, stripe_standin, 503, "auth_unavailable")


@pytest.mark.parametrize("who", ["stranger", "another owner", "accountant_readonly"])
async def test_only_who_may_sell_for_the_org_can(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, who: str
) -> None:
    org, other = world.org(), world.org()
    match who:
        case "stranger":
            user_id = world.user()
        case "another owner":
            user_id = other.owner_id
        case role:
            user_id = world.member(org, role)

    answer = await sell(sidecar, auth.sign_in(user_id), org.client_id, org.offer_id)

    await assert_refused(answer, world, stripe_standin, 404, "client_not_found")


async def test_another_orgs_client_or_offer_is_not_found(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org, other = world.org(), world.org()
    token = auth.sign_in(org.owner_id)

    theirs = await sell(sidecar, token, other.client_id, org.offer_id)
    nobody = await sell(sidecar, token, uuid4(), org.offer_id)
    offer = await sell(sidecar, token, org.client_id, other.offer_id)

    await assert_refused(theirs, world, stripe_standin, 404, "client_not_found")
    assert (nobody.status, nobody.text) == (404, theirs.text)  # whether it exists elsewhere is not told
    await assert_refused(offer, world, stripe_standin, 404, "offer_not_found")


async def test_a_withdrawn_offer_is_not_sold(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org = world.org()
    world.db.execute("update public.offers set is_active = false")

    answer = await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)

    await assert_refused(answer, world, stripe_standin, 404, "offer_not_found")


@pytest.mark.parametrize("account", ["none", "not yet enabled"])
async def test_an_org_that_cannot_be_paid_is_told_so(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, account: str
) -> None:
    org = world.org(connected=account != "none")
    world.db.execute("update public.stripe_accounts set charges_enabled = false")

    answer = await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)

    await assert_refused(answer, world, stripe_standin, 503, "stripe_not_connected")


async def test_a_portal_link_opens_only_what_is_its_own(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    org, other = world.org(), world.org()
    link = portal(world, org)

    unknown = await buy(sidecar, uuid4(), org.offer_id)
    theirs = await buy(sidecar, link, other.offer_id)
    nonsense = await buy(sidecar, CANARY, org.offer_id)
    both = await buy(sidecar, link, org.offer_id, client_id=str(org.client_id))
    no_code = await buy(sidecar, link, org.offer_id, promo_code="NONE")

    await assert_refused(unknown, world, stripe_standin, 404, "token_not_found")
    await assert_refused(theirs, world, stripe_standin, 404, "offer_not_found")
    assert (nonsense.status, CANARY in nonsense.text) == (400, False)
    await assert_refused(both, world, stripe_standin, 401, "sign_in_required")
    await assert_refused(no_code, world, stripe_standin, 404, "promo_code_not_found")
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {auth.sign_in(org.owner_id)}"}
    nobody = await sidecar.post("/checkout", json.dumps({"offer_id": str(org.offer_id)}).encode(), sent)
    await assert_refused(nobody, world, stripe_standin, 400, "client_missing")


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"client_id": "canary-81c0de"}',
    b'{"client_id": "x", "offer_id": 7}',
    b"\xff",
    b'{"client_id": "%s", "offer_id": "%s", "promo_code": "\\u0000"}' % ((str(uuid4()).encode(),) * 2),
]


async def test_a_body_that_makes_no_sense_is_refused(
    sidecar: Sidecar, world: World, auth: Auth, logs: Logs, subtests: pytest.Subtests
) -> None:
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {auth.sign_in(world.org().owner_id)}"}
    for body in BODIES:
        with subtests.test(ascii(body)):
            answer = await sidecar.post("/checkout", body, sent)

            assert answer.status == 400, answer.text
            assert CANARY not in answer.text + logs.text


# -- when Stripe fails ------------------------------------------------------------------------------------------------


def sentence(answer: Answer) -> None:
    assert (answer.status, answer.json()["code"]) == (502, "stripe_unavailable"), answer.text
    assert answer.json()["message"] == "Stripe did not open a payment page; try again."


async def one_checkout(sidecar: Sidecar, world: World, auth: Auth) -> tuple[Org, Answer]:
    org = world.org()
    return org, await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)


async def test_when_stripe_stays_down_the_coach_is_told(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin
) -> None:
    await stripe_standin.fault("error", times=3, status=503)

    _, answer = await one_checkout(sidecar, world, auth)

    sentence(answer)
    assert world.value("select stripe_session_id from app.checkouts") is None
    assert await stripe_standin.waiting_faults() == 0


async def test_a_refusal_of_stripes_is_not_repeated(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, logs: Logs
) -> None:
    await stripe_standin.fault("error", times=2, status=402)

    _, answer = await one_checkout(sidecar, world, auth)

    sentence(answer)
    assert "declined" not in answer.text + logs.text  # Stripe's words stay Stripe's
    assert await stripe_standin.waiting_faults() == 1


@pytest.mark.parametrize("fault", ["error", "drop"])
async def test_a_hiccup_of_stripes_is_bridged_and_makes_one_session(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, http: aiohttp.ClientSession, fault: str
) -> None:
    """`drop`: Stripe made the session and its answer was lost; the repeated call must be given the same one."""
    await stripe_standin.fault(fault)

    org, answer = await one_checkout(sidecar, world, auth)

    assert answer.status == 201, answer.text
    session_id = answer.json()["url"].rsplit("/", 1)[1]
    assert world.value("select stripe_session_id from app.checkouts") == session_id
    assert (await fetch(stripe_standin, http, f"checkout/sessions/{session_id}", org.account))[0] == 200


@pytest.mark.parametrize("fault", ["error", "drop"])
async def test_after_a_failure_the_retry_makes_one_session(
    sidecar: Sidecar, world: World, auth: Auth, stripe_standin: Standin, fault: str
) -> None:
    """`drop`: Stripe made a session each time and no answer arrived; the next click must be given that one."""
    org = world.org()
    token = auth.sign_in(org.owner_id)
    await stripe_standin.fault(fault, times=3, status=500)
    sentence(await sell(sidecar, token, org.client_id, org.offer_id))

    answer = await sell(sidecar, token, org.client_id, org.offer_id)

    assert answer.status == 201, answer.text
    assert world.value("select count(*) from app.checkouts") == 1
    assert world.value("select id from app.checkouts") == UUID(answer.json()["checkout_id"])


async def test_a_refusal_gives_the_code_back(sidecar: Sidecar, world: World, stripe_standin: Standin) -> None:
    org = world.org()
    code(world, org, max_uses=1)
    await stripe_standin.fault("error", status=402)

    assert (await buy(sidecar, portal(world, org), org.offer_id, promo_code="SPRING")).status == 502

    assert world.value("select times_used from public.promo_codes") == 0
    assert world.value("select status from app.checkouts") == "refused"


async def test_an_amount_below_stripes_least_is_said_to_be_one(sidecar: Sidecar, world: World, auth: Auth) -> None:
    org = world.org()
    world.db.execute("update public.offers set price_cents = 49")

    answer = await sell(sidecar, auth.sign_in(org.owner_id), org.client_id, org.offer_id)

    assert (answer.status, answer.json()["code"]) == (409, "amount_too_small")
