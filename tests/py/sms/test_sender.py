"""Sending what is due, through twilio-python, to a Twilio that fails in every way a network can."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from devstack.standins.server import running
from sidecar.database import Database
from sidecar.settings import Secret, TwilioSettings
from sidecar.sms import sender, twilio_client
from sidecar.sms.sender import TwilioSender, send_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from conftest import Logs, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

SID, TOKEN = "AC" + "0" * 32, "token-of-the-tests"


@pytest.fixture
def worker_database(worker_pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> Database:
    return Database(worker_pool)


@asynccontextmanager
async def sending(url: str, token: str = TOKEN) -> AsyncIterator[TwilioSender]:
    settings = TwilioSettings(SID, Secret(token), url)
    async with TwilioSender(settings, "https://coach.example/webhooks/twilio/status") as twilio:
        yield twilio


@pytest.fixture
async def twilio(twilio_standin: Standin) -> AsyncIterator[TwilioSender]:
    async with sending(twilio_standin.url) as connected:
        yield connected


def message(world: World, message_id: UUID) -> dict[str, Any]:
    return world.one(
        "select status, error_code, provider_message_id, scheduled_for, locked_until, sent_at, failed_at"
        " from public.sms_messages where id = %s",
        message_id,
    )


async def test_what_is_due_is_sent_once(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    org = world.org()
    body = "See you at 9:00 am \u2713"
    message_id = world.message(org, body)

    assert await send_due(worker_database, twilio) == 1
    assert await send_due(worker_database, twilio) == 0

    [accepted] = await twilio_standin.messages()
    assert (accepted["to"], accepted["from"], accepted["body"]) == (org.client_phone, org.phone, body)
    found = message(world, message_id)
    assert (found["status"], found["provider_message_id"]) == ("sent", accepted["sid"])
    assert (found["error_code"], found["locked_until"], found["failed_at"]) == (None, None, None)
    assert abs(datetime.now(UTC) - found["sent_at"]) < timedelta(minutes=1)


async def test_what_is_not_due_waits(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    message_id = world.message(world.org())
    world.db.execute("update public.sms_messages set scheduled_for = now() + interval '1 minute'")

    assert await send_due(worker_database, twilio) == 0

    assert await twilio_standin.messages() == []
    assert message(world, message_id)["status"] == "pending"


async def test_a_confirmation_that_was_sent_is_noted_on_its_booking(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    org = world.org()
    booking_id = world.booking(org, timedelta(days=1))
    asked = "select confirmation_sent_at from public.bookings where id = %s"
    assert world.value(asked, booking_id) is None

    await send_due(worker_database, twilio)

    assert abs(datetime.now(UTC) - world.value(asked, booking_id)) < timedelta(minutes=1)
    [accepted] = await twilio_standin.messages(org.client_phone)
    assert "Reply Y to confirm" in accepted["body"]


async def test_a_confirmation_that_failed_is_not(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    booking_id = world.booking(world.org(), timedelta(days=1))
    await twilio_standin.fault("error", status=400, code=21211)

    await send_due(worker_database, twilio)

    assert world.value("select confirmation_sent_at from public.bookings where id = %s", booking_id) is None


async def assert_retried(world: World, message_id: UUID, code: str) -> None:
    found = message(world, message_id)
    assert (found["status"], found["error_code"], found["locked_until"]) == ("queued", code, None)
    assert found["scheduled_for"] > datetime.now(UTC)


async def sent_later(world: World, database: Database, twilio: TwilioSender) -> int:
    """What happens when the time has come."""
    world.db.execute("update public.sms_messages set scheduled_for = now() where status = 'queued'")
    return await send_due(database, twilio)


@pytest.mark.parametrize(
    ("status", "given", "code"), [(429, None, "20429"), (401, None, "20401"), (400, 21611, "21611")]
)
async def test_a_passing_refusal_is_tried_again_later(
    world: World,
    worker_database: Database,
    twilio: TwilioSender,
    twilio_standin: Standin,
    status: int,
    given: int | None,
    code: str,
) -> None:
    message_id = world.message(world.org())
    await twilio_standin.fault("error", status=status, **({"code": given} if given else {}))

    assert await send_due(worker_database, twilio) == 1

    await assert_retried(world, message_id, code)
    assert await twilio_standin.messages() == []
    async with sending(twilio_standin.url) as later:
        assert await sent_later(world, worker_database, later) == 1
    assert message(world, message_id)["status"] == "sent"
    assert len(await twilio_standin.messages()) == 1


async def test_an_unreachable_provider_is_tried_again_later(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin, unused_tcp_port: int
) -> None:
    message_id = world.message(world.org())

    async with sending(f"http://127.0.0.1:{unused_tcp_port}") as nowhere:
        assert await send_due(worker_database, nowhere) == 1

    await assert_retried(world, message_id, "provider_unreachable")
    await sent_later(world, worker_database, twilio)
    assert len(await twilio_standin.messages()) == 1


@pytest.mark.parametrize(
    ("to", "code"), [("+15005550001", "21211"), ("+15005550004", "21610"), ("+15005550009", "21614")]
)
async def test_a_final_refusal_is_a_failure_with_its_code(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin, to: str, code: str
) -> None:
    message_id = world.message(world.org(), to=to)

    assert await send_due(worker_database, twilio) == 1
    assert await sent_later(world, worker_database, twilio) == 0

    found = message(world, message_id)
    assert (found["status"], found["error_code"]) == ("failed", code)
    assert found["failed_at"] is not None
    assert await twilio_standin.messages() == []


async def test_while_an_account_is_asked_for_too_much_the_others_of_it_wait(
    world: World,
    worker_database: Database,
    twilio: TwilioSender,
    twilio_standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "CONCURRENCY", 1)
    monkeypatch.setattr(sender, "BATCH", 1)
    org = world.org()
    messages = [world.message(org, f"text {number}") for number in range(3)]
    await twilio_standin.fault("error", status=429, retry_after_s=120)

    assert await send_due(worker_database, twilio) == 3

    first, *others = (message(world, each) for each in messages)
    assert (first["status"], first["error_code"]) == ("queued", "20429")
    assert first["scheduled_for"] > datetime.now(UTC) + timedelta(seconds=110), "as long as Twilio asks"
    assert [each["error_code"] for each in others] == ["provider_busy"] * 2
    assert await twilio_standin.messages() == []
    attempts = world.rows("select attempts from public.sms_messages order by created_at")
    assert [row["attempts"] for row in attempts] == [1, 0, 0], "a call that was not made is no attempt"


async def test_a_text_that_waited_too_long_for_its_call_is_given_back(
    world: World,
    worker_database: Database,
    twilio: TwilioSender,
    twilio_standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sender that slept (a laptop, a paused machine) finds its claims old: another sender may have them by then."""
    monkeypatch.setattr(sender, "FRESH", timedelta(seconds=-1))
    message_id = world.message(world.org())
    taken = worker_database.rows

    async def take_once(function: str, **arguments: Any) -> list[DictRow]:  # noqa: ANN401 - any SQL type
        twilio.stop()
        return await taken(function, **arguments)

    monkeypatch.setattr(worker_database, "rows", take_once)
    assert await send_due(worker_database, twilio) == 1

    found = message(world, message_id)
    assert (found["status"], found["provider_message_id"]) == ("queued", None)
    assert await twilio_standin.messages() == []


async def test_a_sender_that_is_to_stop_claims_no_more(
    world: World, worker_database: Database, twilio: TwilioSender
) -> None:
    message_id = world.message(world.org())
    twilio.stop()

    assert await send_due(worker_database, twilio) == 0

    assert message(world, message_id)["status"] == "pending"


# -- no answer: it may have been sent, so it is never sent again blindly ----------------------------------------------


async def assert_unknown(
    world: World, database: Database, twilio: TwilioSender, message_id: UUID, code: str = "no_answer"
) -> None:
    found = message(world, message_id)
    assert (found["status"], found["error_code"]) == ("unknown", code)
    assert await sent_later(world, database, twilio) == 0
    assert message(world, message_id)["status"] == "unknown"


@pytest.mark.parametrize(("fault", "accepted"), [("timeout", 0), ("late", 1), ("drop", 1)])
async def test_a_text_without_an_answer_is_never_sent_again(
    world: World,
    worker_database: Database,
    twilio_standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    accepted: int,
) -> None:
    monkeypatch.setattr(twilio_client, "TIMEOUT_S", 0.3)
    message_id = world.message(world.org())
    await twilio_standin.fault(fault, delay_s=60)

    async with asyncio.timeout(20), sending(twilio_standin.url) as impatient:
        assert await send_due(worker_database, impatient) == 1
        await assert_unknown(world, worker_database, impatient, message_id)

    assert len(await twilio_standin.messages()) == accepted


@pytest.mark.parametrize("answer", ["a page instead of JSON", "nothing at all", "a list"])
async def test_an_answer_nobody_can_read_is_no_answer(world: World, worker_database: Database, answer: str) -> None:
    """Something between us and Twilio answered 2xx; whether Twilio took the text is not known."""
    bodies = {"a page instead of JSON": "<html>", "nothing at all": "", "a list": "[]"}
    message_id = world.message(world.org())

    async def respond(_request: web.Request) -> web.Response:
        return web.Response(status=200, text=bodies[answer])

    async with strange(respond) as url, sending(url) as confused:
        assert await send_due(worker_database, confused) == 1
        await assert_unknown(world, worker_database, confused, message_id, "answer_unreadable")


async def test_an_error_in_the_newer_shape_is_understood(world: World, worker_database: Database) -> None:
    """RFC 9457, for which twilio-python has another exception."""
    org = world.org()
    problem: dict[str, Any] = {"type": "about:blank", "title": "Bad Request", "status": 400, "code": 21211}

    async def respond(_request: web.Request) -> web.Response:
        return web.json_response(problem, status=problem["status"])

    async with strange(respond) as url, sending(url) as twilio:
        refused = world.message(org)
        await send_due(worker_database, twilio)
        problem |= {"status": 429, "code": 20429}
        busy = world.message(org, to="+61491570199")  # the other number is texted no more
        await send_due(worker_database, twilio)

    found = message(world, refused)
    assert (found["status"], found["error_code"]) == ("failed", "21211")
    await assert_retried(world, busy, "20429")


async def test_one_strange_answer_does_not_hold_up_the_others(
    world: World, worker_database: Database, twilio_standin: Standin
) -> None:
    org = world.org()
    strange_one, *others = (world.message(org, body) for body in ("strange", "one", "two"))

    async def respond(request: web.Request) -> web.Response:
        form = await request.post()
        if form["Body"] == "strange":
            return web.Response(status=201, text="<html>")
        headers = {"Authorization": request.headers["Authorization"]}
        fields = {name: str(value) for name, value in form.items()}
        async with twilio_standin.http.post(twilio_standin.url + request.path, data=fields, headers=headers) as answer:
            return web.Response(status=answer.status, text=await answer.text())

    async with strange(respond) as url, sending(url) as twilio:
        assert await send_due(worker_database, twilio) == 3

    assert message(world, strange_one)["status"] == "unknown"
    assert [message(world, each)["status"] for each in others] == ["sent", "sent"]


@asynccontextmanager
async def strange(respond: Any) -> AsyncIterator[str]:  # noqa: ANN401 - a handler, of aiohttp's own long type
    app = web.Application()
    app.router.add_post("/{path:.*}", respond)
    async with running(app) as url:
        yield url


# -- many at once -----------------------------------------------------------------------------------------------------


async def test_two_senders_share_forty_texts(
    world: World, worker_database: Database, twilio_standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BATCH", 3)  # so that neither can take all
    org = world.org()
    for number in range(40):
        world.message(org, f"text {number}")

    async with sending(twilio_standin.url) as one, sending(twilio_standin.url) as two:
        handled = await asyncio.gather(send_due(worker_database, one), send_due(worker_database, two))

    assert sum(handled) == 40
    assert min(handled) > 0
    accepted = await twilio_standin.messages()
    assert sorted(each["body"] for each in accepted) == sorted(f"text {number}" for number in range(40))
    stored = world.rows("select status, provider_message_id from public.sms_messages")
    assert {row["status"] for row in stored} == {"sent"}
    assert {row["provider_message_id"] for row in stored} == {each["sid"] for each in accepted}


async def test_no_number_and_no_word_is_logged(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin, logs: Logs
) -> None:
    org = world.org()
    for fault in ({"status": 429}, {"status": 400, "code": 21211}, {"status": 500}):
        await twilio_standin.fault("error", **fault)
    for _ in range(4):
        world.message(org, "canary-5d2f")

    await send_due(worker_database, twilio)

    assert any(line["event"] == "sms_batch" for line in logs.lines())
    for secret in (org.client_phone, org.phone, "canary-5d2f", TOKEN, SID):
        assert secret not in logs.text
        assert secret.lstrip("+") not in logs.text
