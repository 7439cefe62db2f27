"""Twilio's webhooks: what is signed is handled once, what is not leaves no trace."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID, uuid4
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from twilio.request_validator import RequestValidator

if TYPE_CHECKING:
    from conftest import Answer, Logs, Org, Sidecar, World

INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"
PUBLIC_URL, TOKEN = "https://coach.example", "token-of-the-tests"
CANARY = "canary-7a33b1"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def sid() -> str:
    return f"SM{uuid4().hex}"


def inbound(org: Org, body: str = "Y", **more: str) -> dict[str, str]:
    """The parameters Twilio documents. https://www.twilio.com/docs/messaging/guides/webhook-request"""
    message_sid = sid()
    return {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": message_sid, "NumMedia": "0", "ToCity": "", "FromZip": "",
        "SmsSid": message_sid, "FromState": "", "SmsStatus": "received", "FromCity": "", "Body": body,
        "FromCountry": "AU", "To": org.phone, "ToZip": "", "NumSegments": "1", "MessageSid": message_sid,
        "AccountSid": "AC" + "0" * 32, "From": org.client_phone, "ApiVersion": "2010-04-01", **more,
    }  # fmt: skip


def asked_about(world: World, org: Org, starts_in: timedelta = timedelta(days=1)) -> UUID:
    """A booking whose confirmation text has been sent."""
    booking_id = world.booking(org, starts_in)
    world.db.execute("update public.bookings set confirmation_sent_at = now() where id = %s", [booking_id])
    return booking_id


def confirmed(world: World, booking_id: UUID) -> bool:
    return bool(world.value("select client_confirmed from public.bookings where id = %s", booking_id))


def said(answer: Answer) -> list[str]:
    """The texts of a TwiML answer."""
    root = ElementTree.fromstring(answer.text)  # noqa: S314 - our own answer
    assert root.tag == "Response"
    return [each.text or "" for each in root.findall("Message")]


# -- a client's text --------------------------------------------------------------------------------------------------


async def test_a_signed_y_confirms_the_booking_asked_about(sidecar: Sidecar, world: World) -> None:
    org, other = world.org(), world.org()
    booking_id, theirs = asked_about(world, org), asked_about(world, other)

    answer = await sidecar.text(inbound(org))

    assert answer.status == 200
    assert answer.headers["Content-Type"].split(";")[0] in {"application/xml", "text/xml"}
    [text] = said(answer)
    assert "confirmed" in text
    assert confirmed(world, booking_id)
    assert not confirmed(world, theirs)


async def test_the_same_text_again_changes_and_says_nothing(sidecar: Sidecar, world: World) -> None:
    org = world.org()
    nearest, later = asked_about(world, org), asked_about(world, org, timedelta(days=2))
    text = inbound(org)
    await sidecar.text(text)
    before = world.everything()

    again = await sidecar.text(text)

    assert (again.status, said(again)) == (200, [])
    assert world.everything() == before
    assert (confirmed(world, nearest), confirmed(world, later)) == (True, False)


async def test_an_answer_cannot_break_out_of_its_xml(sidecar: Sidecar, world: World) -> None:
    hostile = "</Message><Redirect>http://evil.example</Redirect> & \"quotes\" 'too' <b> ]]> \u00e9 \U0001f600"
    world.db.execute(
        sql.SQL(
            """
            create or replace function app.receive_sms(
              p_message_sid text, p_from text, p_to text, p_body text, p_now timestamptz default now(),
              p_opt_out_type text default null, p_media integer default 0, p_account_sid text default null
            ) returns text language sql security definer as $$ select {}::text $$
            """
        ).format(hostile)
    )

    answer = await sidecar.text(inbound(world.org()))

    assert said(answer) == [hostile]
    assert len(ElementTree.fromstring(answer.text)) == 1  # noqa: S314 - our own answer


# -- what the signature covers ----------------------------------------------------------------------------------------


async def test_the_signature_covers_repeated_and_unknown_parameters(sidecar: Sidecar, world: World) -> None:
    org = world.org()
    booking_id = asked_about(world, org)
    parameters = [
        *inbound(org).items(),
        ("MediaUrl", "a"),
        ("MediaUrl", "b"),
        ("NewInTwilio", ""),
        ("\u00fcber", "\u00e9 +&="),
    ]
    signature = sign(parameters)
    before = world.everything()

    for altered in (
        [*parameters, ("Extra", "1")],
        [*parameters, ("MediaUrl", "c")],
        [pair for pair in parameters if pair != ("MediaUrl", "b")],
        [pair for pair in parameters if pair[0] != "NewInTwilio"][:-1],
        [(name, "N" if name == "Body" else value) for name, value in parameters],
        [(name, org.phone if name == "From" else value) for name, value in parameters],
    ):
        answer = await post(sidecar, altered, signature)
        assert (answer.status, answer.json()["code"]) == (403, "signature_invalid")
        assert world.everything() == before

    assert (await post(sidecar, parameters, signature)).status == 200
    assert confirmed(world, booking_id)


def sign(parameters: list[tuple[str, str]], url: str = PUBLIC_URL + INBOUND, token: str = TOKEN) -> str:
    """Twilio's signature; for a repeated name, over each of its values."""
    by_name: dict[str, list[str]] = {}
    for name, value in parameters:
        by_name.setdefault(name, []).append(value)

    class Form(dict[str, list[str]]):
        def getall(self, name: str) -> list[str]:
            return self[name]

    return str(RequestValidator(token).compute_signature(url, Form(by_name)))


async def post(
    sidecar: Sidecar, parameters: list[tuple[str, str]], signature: str | None, path: str = INBOUND, **headers: str
) -> Answer:
    sent = FORM | ({"X-Twilio-Signature": signature} if signature is not None else {}) | headers
    return await sidecar.post(path, urlencode(parameters).encode(), sent)


@pytest.mark.parametrize("path", [INBOUND, STATUS])
async def test_without_twilios_signature_nothing_happens(
    sidecar: Sidecar, world: World, logs: Logs, subtests: pytest.Subtests, path: str
) -> None:
    org = world.org()
    asked_about(world, org)
    parameters = list(inbound(org, FromCity=CANARY, MessageStatus="delivered").items())
    before = world.everything()
    for signature in (None, "", CANARY, "\u00e9" * 28, sign(parameters, PUBLIC_URL + path, "another-token")):
        with subtests.test(ascii(signature)):
            answer = await post(sidecar, parameters, signature, path, **{"X-Canary": CANARY})

            assert (answer.status, answer.json()["code"]) == (403, "signature_invalid")
            assert world.everything() == before
            assert CANARY not in answer.text + logs.text
            assert org.client_phone not in logs.text


async def test_the_signature_is_over_the_public_url_alone(sidecar: Sidecar, world: World) -> None:
    """Not over where the request came in, nor over what it says about itself."""
    org = world.org()
    booking_id = asked_about(world, org)
    parameters = list(inbound(org).items())
    elsewhere = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}

    for url in (f"{sidecar.url}{INBOUND}", f"http://evil.example{INBOUND}", f"https://evil.example{INBOUND}"):
        assert (await post(sidecar, parameters, sign(parameters, url), **elsewhere)).status == 403
    assert (await post(sidecar, parameters, sign(parameters, PUBLIC_URL + STATUS))).status == 403
    assert not confirmed(world, booking_id)

    assert (await post(sidecar, parameters, sign(parameters), **elsewhere)).status == 200
    assert confirmed(world, booking_id)


async def test_the_query_is_signed_too(sidecar: Sidecar, world: World) -> None:
    parameters = list(inbound(world.org()).items())
    signature = sign(parameters, f"{PUBLIC_URL}{INBOUND}?a=1&b=%20")

    assert (await post(sidecar, parameters, signature, f"{INBOUND}?a=1&b=%20")).status == 200
    assert (await post(sidecar, parameters, signature, f"{INBOUND}?a=2&b=%20")).status == 403
    assert (await post(sidecar, parameters, signature)).status == 403


# -- forms that are none ----------------------------------------------------------------------------------------------


NOT_FORMS = {
    "no pair": b"canary-7a33b1",
    "a piece without =": b"a=1&canary-7a33b1&b=2",
    "not UTF-8": b"Body=\xff",
    "too many": b"a=1&" * 201 + b"a=1",
    "JSON": b'{"Body": "Y"}',
}


@pytest.mark.parametrize("path", [INBOUND, STATUS])
async def test_a_malformed_form_is_refused(
    sidecar: Sidecar, world: World, logs: Logs, subtests: pytest.Subtests, path: str
) -> None:
    world.org()
    before = world.everything()
    for what, body in NOT_FORMS.items():
        with subtests.test(what):
            answer = await sidecar.post(path, body, FORM | {"X-Twilio-Signature": sign([], PUBLIC_URL + path)})

            assert (answer.status, answer.json()["code"]) == (400, "form_malformed")
            assert world.everything() == before
            assert CANARY not in answer.text + logs.text


async def test_a_missing_parameter_is_refused(sidecar: Sidecar, world: World, subtests: pytest.Subtests) -> None:
    parameters = inbound(world.org(), MessageStatus="delivered")
    before = world.everything()
    required = {INBOUND: ["MessageSid", "From", "To"], STATUS: ["MessageSid", "MessageStatus"]}
    for path, missing in ((path, name) for path, names in required.items() for name in names):
        absent = {name: value for name, value in parameters.items() if name != missing}
        for how, sent_parameters in (("absent", absent), ("empty", parameters | {missing: ""})):
            with subtests.test(f"{missing} {how} at {path}"):
                answer = await sidecar.text(sent_parameters, path)

                assert (answer.status, answer.json()["code"]) == (400, "parameter_missing")
                assert missing in answer.json()["message"]
                assert world.everything() == before


async def test_a_text_that_cannot_be_kept_is_not_our_fault(sidecar: Sidecar, world: World, logs: Logs) -> None:
    org = world.org()
    booking_id = asked_about(world, org)

    answer = await sidecar.text(inbound(org, f"{CANARY}\x00"))

    assert 200 <= answer.status < 500, answer.text
    assert not confirmed(world, booking_id)
    assert CANARY not in logs.text


@pytest.mark.parametrize("path", [INBOUND, STATUS])
async def test_an_oversized_form_is_refused(sidecar: Sidecar, world: World, path: str) -> None:
    org = world.org()
    before = world.everything()

    answer = await sidecar.text(inbound(org, "Y" * 1_000_000, MessageStatus="delivered"), path)

    assert answer.status == 413
    assert world.everything() == before


# -- what became of a text of ours ------------------------------------------------------------------------------------


def sent(world: World, org: Org) -> str:
    """The provider's id of a text that was sent."""
    message_sid = sid()
    world.db.execute(
        "update public.sms_messages set status = 'sent', sent_at = now(), provider_message_id = %s where id = %s",
        [message_sid, world.message(org)],
    )
    return message_sid


def callback(message_sid: str, status: str, **more: str) -> dict[str, str]:
    """The parameters Twilio documents. https://www.twilio.com/docs/messaging/guides/track-outbound-message-status"""
    return {
        "SmsSid": message_sid, "SmsStatus": status, "MessageStatus": status, "MessageSid": message_sid,
        "To": "+61491570000", "From": "+15005551000", "AccountSid": "AC" + "0" * 32, "ApiVersion": "2010-04-01",
        **more,
    }  # fmt: skip


@pytest.mark.parametrize("path", [STATUS, "/functions/v1/twilio-webhook"])
async def test_a_delivery_is_recorded(sidecar: Sidecar, world: World, path: str) -> None:
    org = world.org()
    message_sid = sent(world, org)

    answer = await sidecar.text(callback(message_sid, "delivered"), path)

    assert (answer.status, answer.text) == (204, "")
    found = world.one("select status, delivered_at is not null as dated, error_code from public.sms_messages")
    assert found == {"status": "delivered", "dated": True, "error_code": None}
    event = world.one("select org_id, provider_message_id, event_type, event_status from public.sms_events")
    assert event == {
        "org_id": org.id,
        "provider_message_id": message_sid,
        "event_type": "status",
        "event_status": "delivered",
    }


async def test_a_failure_is_recorded_with_its_code(sidecar: Sidecar, world: World) -> None:
    message_sid = sent(world, world.org())

    await sidecar.text(callback(message_sid, "undelivered", ErrorCode="30003"), STATUS)

    found = world.one("select status, failed_at is not null as dated, error_code from public.sms_messages")
    assert found == {"status": "failed", "dated": True, "error_code": "30003"}


async def test_late_and_repeated_callbacks_change_no_final_state(sidecar: Sidecar, world: World) -> None:
    message_sid = sent(world, world.org())

    for status in ("delivered", "sent", "delivered", "failed"):
        assert (await sidecar.text(callback(message_sid, status), STATUS)).status == 204

    assert world.value("select status from public.sms_messages") == "delivered"
    statuses = [row["event_status"] for row in world.rows("select event_status from public.sms_events order by 1")]
    assert statuses == ["delivered", "failed", "sent"]


async def test_a_callback_about_an_unknown_text_is_taken_and_forgotten(sidecar: Sidecar, world: World) -> None:
    sent(world, world.org())
    before = world.everything()

    assert (await sidecar.text(callback(sid(), "delivered"), STATUS)).status == 204

    assert world.everything() == before


# -- anything at all --------------------------------------------------------------------------------------------------

HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7FF, exclude_characters="\x7f"), max_size=40)
NAMES = st.sampled_from(["MessageSid", "From", "To", "Body", "MessageStatus", "ErrorCode"]) | st.text(max_size=8)
FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(
    path=st.sampled_from([INBOUND, STATUS]),
    query=st.sampled_from(["", "?", "?a=[", "?bodySHA256=1"]),
    body=st.binary(max_size=100)
    | st.lists(st.tuples(NAMES, st.text(max_size=20))).map(lambda p: urlencode(p).encode()),
    signature=HEADER | st.none(),
)
async def test_no_unsigned_form_is_taken_or_breaks_anything(
    sidecar: Sidecar, world: World, path: str, query: str, body: bytes, signature: str | None
) -> None:
    headers = FORM | ({"X-Twilio-Signature": signature.strip()} if signature is not None else {})

    answer = await sidecar.post(path + query, body, headers)

    assert answer.status in {400, 403}, answer.text
    assert world.value("select count(*) from public.sms_events") == 0


@FUZZ
@given(path=st.sampled_from([INBOUND, STATUS]), parameters=st.dictionaries(NAMES, st.text(max_size=20), max_size=8))
async def test_no_signed_oddity_is_our_fault(
    sidecar: Sidecar, world: World, path: str, parameters: dict[str, str]
) -> None:
    if not world.rows("select from public.orgs"):
        world.org()
    ours = {name: value.replace("\x01", "+15005551000") for name, value in parameters.items()}

    answer = await sidecar.text(ours, path)

    assert answer.status in {200, 204, 400}, answer.text


# -- JSON, whose hash is part of the address --------------------------------------------------------------------------


async def post_json(
    sidecar: Sidecar, body: bytes, *, digest: str | None = None, token: str = TOKEN, kind: str = "application/json"
) -> Answer:
    query = f"?bodySHA256={hashlib.sha256(body).hexdigest() if digest is None else digest}"
    signature = str(RequestValidator(token).compute_signature(f"{PUBLIC_URL}{INBOUND}{query}", {}))
    return await sidecar.post(INBOUND + query, body, {"Content-Type": kind, "X-Twilio-Signature": signature})


async def test_json_is_taken_by_the_hash_of_its_body(sidecar: Sidecar, world: World, subtests: pytest.Subtests) -> None:
    org = world.org()
    booking_id = asked_about(world, org)
    content = inbound(org) | {"NumMedia": 0, "Nested": {"a": 1}}
    body = json.dumps(content).encode()
    before = world.everything()
    signed = str(RequestValidator(TOKEN).compute_signature(f"{PUBLIC_URL}{INBOUND}", {}))
    refused = {
        "another body": await post_json(sidecar, body + b" ", digest=hashlib.sha256(body).hexdigest()),
        "another hash": await post_json(sidecar, body, digest="0" * 64),
        "no hash": await sidecar.post(
            INBOUND, body, {"Content-Type": "application/json", "X-Twilio-Signature": signed}
        ),
        "two hashes": await post_json(sidecar, body, digest=f"{hashlib.sha256(body).hexdigest()}&bodySHA256=0"),
        "another token": await post_json(sidecar, body, token="another"),
        "said to be a form": await post_json(sidecar, b"a=1", kind=FORM["Content-Type"]),
    }
    for what, answer in refused.items():
        with subtests.test(what):
            assert (answer.status, answer.json()["code"]) == (403, "signature_invalid")
    for malformed in (b"[]", b"{", b'"text"', b'{"Body": "\\u0000"}', b'{"Body": "\\ud800"}', b"\xff", b"[" * 100_000):
        with subtests.test(repr(malformed[:20])):
            answer = await post_json(sidecar, malformed)
            assert (answer.status, answer.json()["code"]) == (400, "form_malformed")
    assert world.everything() == before

    answer = await post_json(sidecar, body, kind="application/json; charset=utf-8")

    assert answer.status == 200, answer.text
    assert confirmed(world, booking_id)


# -- one thing changed ------------------------------------------------------------------------------------------------


@FUZZ
@given(data=st.data())
async def test_whatever_is_changed_of_a_signed_form_it_is_refused(
    sidecar: Sidecar, world: World, data: st.DataObject
) -> None:
    org = world.org() if not world.rows("select from public.orgs") else None
    known: dict[str, str] = getattr(world, "signed_form", {})
    if org is not None:
        asked_about(world, org)
        known = inbound(org)
        world.signed_form = known  # type: ignore[attr-defined]
    pairs = list(known.items())
    signature, path = sign(pairs), INBOUND
    where = data.draw(st.sampled_from(["value", "name", "added", "removed", "signature", "path", "query", "repeated"]))
    index = data.draw(st.integers(0, len(pairs) - 1))
    name, value = pairs[index]
    letter = data.draw(st.sampled_from("aB0+ &=%\u00e9"))
    match where:
        case "value":
            pairs[index] = (name, value + letter)
        case "name":
            pairs[index] = (name + letter, value)
        case "added":
            pairs.append((data.draw(st.text("abc", min_size=1, max_size=5)), data.draw(st.text("abc", max_size=3))))
        case "removed":
            # Without its value a parameter leaves its name in what is signed; with both it leaves nothing.
            del pairs[index]
        case "repeated":
            pairs.append((name, value + letter))
        case "signature":
            place = data.draw(st.integers(0, len(signature) - 2))
            signature = signature[:place] + ("A" if signature[place] != "A" else "B") + signature[place + 1 :]
        case "path":
            path = STATUS
        case _:
            path += "?a=1"

    answer = await post(sidecar, pairs, signature, path)

    assert answer.status == 403, (where, index, letter)
    assert world.value("select count(*) from public.sms_events") == 0
