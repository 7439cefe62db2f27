"""POST /webhooks/stripe: what is taken, once; what is refused, without a trace."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.standins.stripe import sign_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Answer, Events, Logs, Org, Serve, Sidecar, Standin, World

PATH = "/webhooks/stripe"
SECRET = "whsec_of_the_tests"
CANARY = "canary-4f1d8a"
MAX_BODY = 1_000_000


def bought(world: World, org: Org) -> dict[str, Any]:
    """What the org's client has, and what the books say."""
    return world.one(
        """
        select (select count(*) from app.webhook_events) as events,
               (select count(*) from public.client_purchases where org_id = %(org)s) as packs,
               (select sum(sessions_total) from public.client_purchases where org_id = %(org)s) as sessions,
               (select count(*) from public.money_events where org_id = %(org)s and type = 'INCOME') as money_rows,
               (select sum(amount_cents) from public.money_events where org_id = %(org)s and type = 'INCOME') as income
        """.replace("%(org)s", f"'{org.id}'")
    )


ONE_PACK = {"events": 1, "packs": 1, "sessions": 10, "money_rows": 1, "income": 90000}


def headers(signature: str, **more: str) -> dict[str, str]:
    return {"Stripe-Signature": signature, "Content-Type": "application/json; charset=utf-8", **more}


@pytest.mark.parametrize("path", [PATH, "/functions/v1/stripe-webhook"])
async def test_a_signed_event_is_stored_and_applied(sidecar: Sidecar, world: World, events: Events, path: str) -> None:
    org = world.org()
    event = events.paid(org)

    answer = await sidecar.deliver(event, path)

    assert (answer.status, answer.json()) == (200, {"outcome": "applied"})
    assert bought(world, org) == ONE_PACK
    kept = world.one("select event_id, event_type, account_id, org_id, status, reason from app.webhook_events")
    assert kept == {
        "event_id": event["id"],
        "event_type": "checkout.session.completed",
        "account_id": org.account,
        "org_id": org.id,
        "status": "applied",
        "reason": None,
    }
    pack = world.one("select client_id, offer_id, payment_status, sessions_used from public.client_purchases")
    assert pack == {
        "client_id": org.client_id,
        "offer_id": org.offer_id,
        "payment_status": "succeeded",
        "sessions_used": 0,
    }


async def test_three_deliveries_at_once_count_once(sidecar: Sidecar, world: World, events: Events) -> None:
    org = world.org()
    event = events.paid(org)

    answers = await asyncio.gather(*(sidecar.deliver(event) for _ in range(3)))

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert sorted(answer.json()["outcome"] for answer in answers) == ["applied", "duplicate", "duplicate"]
    assert bought(world, org) == ONE_PACK


async def test_the_stand_in_delivers_what_the_sidecar_takes(
    sidecar: Sidecar, world: World, events: Events, stripe_standin: Standin
) -> None:
    org = world.org()
    await stripe_standin.control("target", {"public_url": sidecar.url})
    event = events.paid(org)
    made = await stripe_standin.control(
        "emit", {"type": event["type"], "object": event["data"]["object"], "account": org.account}
    )

    again = await stripe_standin.control("deliver", {"event_id": made["event_id"], "times": 4, "parallel": True})

    assert [delivery["status"] for delivery in made["deliveries"]] + again["statuses"] == [200] * 5
    assert bought(world, org) == ONE_PACK


async def test_two_events_about_one_payment_grant_one_pack(sidecar: Sidecar, world: World, events: Events) -> None:
    org = world.org()
    completed = events.paid(org)
    later = completed | {"id": "evt_another", "type": "checkout.session.async_payment_succeeded"}

    assert [(await sidecar.deliver(event)).status for event in (later, completed)] == [200, 200]

    assert bought(world, org) == ONE_PACK | {"events": 2}


async def test_a_signature_just_within_the_tolerance_is_taken(sidecar: Sidecar, world: World, events: Events) -> None:
    answer = await sidecar.deliver(events.paid(world.org()), age_s=290)

    assert answer.status == 200


async def test_one_of_several_signatures_is_enough(sidecar: Sidecar, world: World, events: Events) -> None:
    """Stripe signs with the old and the new secret while one is being rolled."""
    body = json.dumps(events.paid(world.org())).encode()
    now = int(time.time())
    old = sign_event(body, "whsec_rolled_away", now).split(",")[1]

    answer = await sidecar.post(PATH, body, headers(f"{sign_event(body, SECRET, now)},{old},v0=6f"))

    assert answer.status == 200


async def test_while_the_secret_is_rolled_either_signs(
    world: World,
    events: Events,
    process_env: dict[str, str],
    serve: Serve,
) -> None:
    env = process_env | {"STRIPE_WEBHOOK_SECRET": f"whsec_new, {SECRET}"}
    org = world.org()
    async with serve(env) as sidecar:
        signed = [
            (await sidecar.deliver(events.paid(org), secret=secret)).status
            for secret in ("whsec_new", SECRET, "whsec_other", "whsec_new,whsec_other", "")
        ]

    assert signed == [200, 200, 400, 400, 400]


async def test_a_clock_that_is_a_little_ahead_is_taken(sidecar: Sidecar, world: World, events: Events) -> None:
    assert (await sidecar.deliver(events.paid(world.org()), age_s=-280)).status == 200


@pytest.mark.parametrize("livemode", [True, None, "maybe"])
async def test_an_event_of_another_mode_books_nothing(
    sidecar: Sidecar, world: World, events: Events, livemode: object
) -> None:
    org = world.org()

    answer = await sidecar.deliver(events.paid(org) | {"livemode": livemode})

    assert (answer.status, answer.json()) == (200, {"outcome": "ignored"})
    assert bought(world, org) == ONE_PACK | {"packs": 0, "sessions": None, "money_rows": 0, "income": None}


async def test_a_name_that_looks_like_an_escape_is_only_a_name(sidecar: Sidecar, world: World, events: Events) -> None:
    answer = await sidecar.deliver(events.paid(world.org(), note="back\\u0000slash"))

    assert answer.json() == {"outcome": "applied"}, answer.text
    assert world.value("select payload #>> '{data,object,metadata,note}' from app.webhook_events") == "back\\u0000slash"


@pytest.mark.parametrize("named", ["client", "offer"])
async def test_an_event_that_cannot_be_applied_is_kept_without_its_words(
    sidecar: Sidecar, world: World, events: Events, logs: Logs, named: str
) -> None:
    org = world.org()

    answer = await sidecar.deliver(events.paid(org, **{f"{named}_id": CANARY}))

    assert (answer.status, answer.json()) == (200, {"outcome": "failed"})
    kept = world.one("select status, reason from app.webhook_events")
    assert kept == {"status": "failed", "reason": f"{named}_not_in_org"}
    assert CANARY not in logs.text


# -- refused ----------------------------------------------------------------------------------------------------------


def _signed(body: bytes, **more: str) -> tuple[bytes, dict[str, str]]:
    return body, headers(sign_event(body, SECRET, int(time.time())), **more)


def _altered(body: bytes) -> tuple[bytes, dict[str, str]]:
    _, signed = _signed(body)
    return body.replace(b"90000", b"90001"), signed


def _younger_than_signed(body: bytes) -> tuple[bytes, dict[str, str]]:
    now = int(time.time())
    return body, headers(sign_event(body, SECRET, now - 3600).replace(f"t={now - 3600}", f"t={now}"))


REFUSED: dict[str, Callable[[bytes], tuple[bytes, dict[str, str]]]] = {
    "unsigned": lambda body: (body, {"Content-Type": "application/json"}),
    "empty signature": lambda body: (body, headers("")),
    "signature of nonsense": lambda body: (body, headers(CANARY)),
    "signature without a scheme we know": lambda body: (
        body, headers(sign_event(body, SECRET, int(time.time())).replace("v1=", "v0=")),
    ),
    "signature that is not ASCII": lambda body: (body, headers(f"t={int(time.time())},v1={CANARY}\u00e9")),
    "time that is not a number": lambda body: (body, headers(f"t={CANARY},v1=00")),
    "time beyond all numbers": lambda body: (body, headers(f"t={'9' * 5000},v1=00")),
    "another secret": lambda body: (body, headers(sign_event(body, f"whsec_{CANARY}", int(time.time())))),
    "altered body": _altered,
    "another time than the signed one": _younger_than_signed,
    "from the future": lambda body: (body, headers(sign_event(body, SECRET, int(time.time()) + 330))),
    "stale": lambda body: (body, headers(sign_event(body, SECRET, int(time.time()) - 302))),
    "not JSON": lambda _: _signed(f"{{{CANARY}".encode()),
    "not UTF-8": lambda body: _signed(body + b"\xff\xfe"),
    "nothing": lambda _: _signed(b""),
    "a list": lambda _: _signed(json.dumps([CANARY]).encode()),
    "a text": lambda _: _signed(json.dumps(CANARY).encode()),
    "null": lambda _: _signed(b"null"),
    "a number": lambda _: _signed(b"1"),
    "another object": lambda _: _signed(json.dumps({"object": "charge", "id": CANARY}).encode()),
    "an event without id": lambda _: _signed(json.dumps({"object": "event", "type": CANARY}).encode()),
    "an event whose id is no text": lambda _: _signed(
        json.dumps({"object": "event", "id": 7, "type": CANARY}).encode()
    ),
    "an event whose id is a novel": lambda _: _signed(
        json.dumps({"object": "event", "type": "x", "id": CANARY + "".join(map(str, range(99_999)))}).encode()
    ),
    "an event of an account that is a novel": lambda body: _signed(
        body.replace(b'"acct_', b'"acct_' + "".join(map(str, range(9_999))).encode())
    ),
    "an event without type": lambda _: _signed(json.dumps({"object": "event", "id": CANARY}).encode()),
    "JSON too deep to read": lambda _: _signed(b"[" * 100_000 + b"]" * 100_000),
    "a character Postgres cannot hold": lambda body: _signed(body.replace(CANARY.encode(), b"canary\\u0000")),
    "half a character": lambda body: _signed(body.replace(CANARY.encode(), b"canary\\ud800")),
    "a number that is none": lambda body: _signed(body.replace(b"90000", b"NaN")),
}  # fmt: skip


async def test_what_is_not_a_signed_event_leaves_no_trace(
    sidecar: Sidecar, world: World, events: Events, logs: Logs, subtests: pytest.Subtests
) -> None:
    event = json.dumps(events.paid(world.org(), note=CANARY)).encode()
    before = world.everything()
    for reason, refused in REFUSED.items():
        with subtests.test(reason):
            body, sent = refused(event)

            answer = await sidecar.post(PATH, body, sent | {"User-Agent": CANARY, "X-Canary": CANARY})

            assert answer.status == 400, answer.text
            assert set(answer.json()) == {"code", "message"}
            assert CANARY not in answer.text
            assert CANARY not in logs.text
            assert [line["status"] for line in logs.lines() if line["event"] == "request"][-1] == 400
            assert world.everything() == before


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_an_oversized_delivery_is_refused(
    sidecar: Sidecar, world: World, events: Events, logs: Logs, chunked: bool
) -> None:
    org = world.org()
    body = json.dumps(events.paid(org, note=CANARY)).encode()
    body += b" " * (MAX_BODY + 1 - len(body))
    signed = headers(sign_event(body, SECRET, int(time.time())))
    before = world.everything()

    status, text = await raw_post(sidecar.url, body, signed, chunked=chunked)

    assert status == 413
    assert world.everything() == before
    assert CANARY not in logs.text + text


async def test_the_largest_delivery_is_taken(sidecar: Sidecar, world: World, events: Events) -> None:
    body = json.dumps(events.paid(world.org())).encode()

    answer = await sidecar.deliver(body + b" " * (MAX_BODY - len(body)))

    assert answer.status == 200


async def raw_post(url: str, body: bytes, sent: dict[str, str], *, chunked: bool) -> tuple[int, str]:
    """POST without minding that the server answers, and hangs up, before it has read everything."""
    host = url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}", "Connection: close", length]
    lines += [f"{name}: {value}" for name, value in sent.items()]
    payload = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body

    async def send() -> None:
        try:
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
            await writer.drain()
        except ConnectionError:
            pass

    async def receive() -> bytes:
        received = b""
        try:
            while chunk := await reader.read(4096):
                received += chunk
        except ConnectionError:
            pass
        return received

    async with asyncio.timeout(20):
        answer, _ = await asyncio.gather(receive(), send())
    writer.close()
    return int(answer.split(b" ")[1]), answer.decode()


async def test_headers_without_end_are_refused(sidecar: Sidecar, world: World, logs: Logs) -> None:
    before = world.everything()

    status, text = await raw_post(sidecar.url, b"{}", {"Stripe-Signature": CANARY * 20_000}, chunked=False)

    assert 400 <= status < 500
    assert world.everything() == before
    assert CANARY not in logs.text + text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_taken(sidecar: Sidecar, method: str) -> None:
    assert (await sidecar.post(PATH, method=method)).status == 405


# -- our own fault ----------------------------------------------------------------------------------------------------


async def test_while_the_database_is_down_stripe_is_asked_to_come_again(
    sidecar: Sidecar, world: World, events: Events, logs: Logs
) -> None:
    org = world.org()
    event = events.paid(org, note=CANARY)
    with world.down():
        first = await sidecar.deliver(event)

    assert first.status == 503
    assert set(first.json()) == {"code", "message"}
    assert bought(world, org)["events"] == 0

    async def redelivered() -> Answer:
        # The pool needs a moment to find the database again; Stripe comes again for three days.
        async with asyncio.timeout(60):
            while (answer := await sidecar.deliver(event)).status == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return answer

    assert (await redelivered()).json() == {"outcome": "applied"}
    assert bought(world, org) == ONE_PACK
    assert CANARY not in logs.text
    assert world.name not in logs.text


# -- anything at all --------------------------------------------------------------------------------------------------

# What HTTP lets a header hold; aiohttp sends it as UTF-8, the server reads it as Latin-1.
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7FF, exclude_characters="\x7f"), max_size=60)
TIMES = st.sampled_from(["", "0", "-1", "1e9", "NOW", "9" * 30]) | HEADER
SIGNATURES = HEADER | st.builds("t={},v1={}".format, TIMES, HEADER) | st.builds("t={},v0={},v1=".format, TIMES, HEADER)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
# Shaped so that it reaches the database, where every field of it is of any kind.
EVENTS = st.fixed_dictionaries(
    {"object": st.just("event")},
    optional={
        "id": SCALARS,
        "type": SCALARS | st.just("checkout.session.completed"),
        "account": SCALARS | st.just("acct_tests1000"),
        "livemode": SCALARS | st.just(value=False),
        "created": SCALARS,
        "data": JSON
        | st.fixed_dictionaries(
            {"object": st.dictionaries(st.sampled_from(["metadata", "payment_status", "amount_total"]), JSON)}
        ),
    },
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), signature=SIGNATURES)
async def test_no_unsigned_request_is_taken_or_breaks_anything(
    sidecar: Sidecar, world: World, logs: Logs, body: bytes, signature: str
) -> None:
    signature = signature.replace("NOW", str(int(time.time()))).strip()

    answer = await sidecar.post(PATH, body, {"Stripe-Signature": signature} if signature else {})

    assert 400 <= answer.status < 500, answer.text
    assert world.value("select count(*) from app.webhook_events") == 0
    assert not any("exception" in line for line in logs.lines())


@FUZZ
@given(event=EVENTS | JSON)
async def test_no_signed_oddity_is_our_fault(sidecar: Sidecar, world: World, event: object) -> None:
    if not world.rows("select from public.orgs"):
        world.org()

    answer = await sidecar.deliver(event)

    assert answer.status in {200, 400}, answer.text
    if answer.status == 200:
        assert answer.json()["outcome"] in {"ignored", "unmatched", "failed", "duplicate"}
    assert world.value("select count(*) from public.client_purchases") == 0
    assert world.value("select count(*) from public.money_events") == 0
