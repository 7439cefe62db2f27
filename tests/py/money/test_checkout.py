"""POST /checkout: a coach sells an offer to a client of their own."""

from __future__ import annotations

import json
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
    row = world.one("select id, org_id, client_id, offer_id, stripe_session_id from app.checkouts")
    assert row == {
        "id": UUID(answer.json()["checkout_id"]),
        "org_id": org.id,
        "client_id": org.client_id,
        "offer_id": org.offer_id,
        "stripe_session_id": session_id,
    }
    # On the coach's own account, and on no other.
    status, session = await fetch(
        stripe_standin, http, f"checkout/sessions/{session_id}?expand[]=line_items", org.account
    )
    assert status == 200
    assert (await fetch(stripe_standin, http, f"checkout/sessions/{session_id}", "acct_another"))[0] == 404
    assert (session["amount_total"], session["currency"], session["mode"]) == (90000, "aud", "payment")
    assert session["client_reference_id"] == str(org.client_id)
    metadata = {"org_id": str(org.id), "client_id": str(org.client_id), "offer_id": str(org.offer_id)}
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

    await assert_refused(answer, world, stripe_standin, 409, "stripe_not_connected")


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"client_id": "canary-81c0de"}',
    b'{"client_id": "x", "offer_id": 7}',
    b"\xff",
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
