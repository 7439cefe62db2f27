"""A text whose sending was interrupted is looked for in Twilio's list before it is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.database import Database
from sidecar.settings import Secret, TwilioSettings
from sidecar.sms import reconcile as reconciling
from sidecar.sms import twilio_client
from sidecar.sms.reconcile import Listed, match, reconcile
from sidecar.sms.sender import Text, TwilioSender, send_due
from sidecar.sms.twilio_client import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from conftest import Org, Standin, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

SID, TOKEN = "AC" + "0" * 32, "token-of-the-tests"
CALLBACK = "https://coach.example/webhooks/twilio/status"


@pytest.fixture
def worker_database(worker_pool: Pool) -> Database:
    return Database(worker_pool)


@pytest.fixture
async def twilio(twilio_standin: Standin) -> AsyncIterator[TwilioSender]:
    async with TwilioSender(TwilioSettings(SID, Secret(TOKEN), twilio_standin.url), CALLBACK) as connected:
        yield connected


def passes(world: World, time: str = "6 minutes") -> None:
    """So much time goes by, for the outbox."""
    world.db.execute(
        "update public.sms_messages set locked_until = locked_until - %(t)s::interval,"
        " scheduled_for = scheduled_for - %(t)s::interval, attempted_at = attempted_at - %(t)s::interval,"
        " reconcile_at = reconcile_at - %(t)s::interval",
        {"t": time},
    )


def fate(world: World, message_id: UUID) -> dict[str, Any]:
    return world.one(
        "select status, error_code, provider_message_id, attempts from public.sms_messages where id = %s", message_id
    )


async def interrupted(world: World, database: Database, org: Org, body: str = "Hello") -> UUID:
    """A text whose sender died after claiming it."""
    message_id = world.message(org, body)
    assert [row["message_id"] for row in await database.rows("take_sms", p_now=datetime.now(UTC), p_limit=50)] == [
        message_id
    ]
    return message_id


async def accept(standin: Standin, org: Org, body: str, sender: str | None = None) -> str:
    """Twilio takes a message of which our database knows nothing."""
    form = {"To": org.client_phone, "From": sender or org.phone, "Body": body}
    url = f"{standin.url}/2010-04-01/Accounts/{SID}/Messages.json"
    async with standin.http.post(
        url, data=form, headers={"Authorization": aiohttp.encode_basic_auth(SID, TOKEN)}
    ) as answer:
        assert answer.status == 201
        return str((await answer.json())["sid"])


@pytest.mark.parametrize(
    ("fault", "accepted"), [("timeout", 0), ("late", 1), ("drop", 1), ("error", 0), ("recorded_error", 1)]
)
async def test_a_text_without_a_clear_answer_is_sent_exactly_once(
    world: World,
    worker_database: Database,
    twilio: TwilioSender,
    twilio_standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    accepted: int,
) -> None:
    monkeypatch.setattr(twilio_client, "TIMEOUT_S", 0.3)
    message_id = world.message(world.org())
    await twilio_standin.fault(fault, delay_s=60)
    await send_due(worker_database, twilio)
    assert fate(world, message_id)["status"] == "unknown"
    assert len(await twilio_standin.messages()) == accepted
    assert await reconcile(worker_database, twilio) == 0, "Twilio has a minute to list it"
    monkeypatch.undo()

    passes(world)
    assert await reconcile(worker_database, twilio) == 1
    await send_due(worker_database, twilio)

    [listed] = await twilio_standin.messages()
    assert fate(world, message_id) == {
        "status": "sent",
        "error_code": None,
        "provider_message_id": listed["sid"],
        "attempts": 2 - accepted,
    }
    assert await reconcile(worker_database, twilio) == 0


async def test_what_a_dead_sender_left_is_found_or_sent(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    org, other = world.org(), world.org()
    taken = await interrupted(world, worker_database, org)
    sid = await accept(twilio_standin, org, "Hello")
    lost = await interrupted(world, worker_database, other)

    passes(world)
    assert await reconcile(worker_database, twilio) == 2

    assert fate(world, taken) == {
        "status": "sent", "error_code": None, "provider_message_id": sid, "attempts": 1
    }  # fmt: skip
    assert fate(world, lost)["status"] == "queued"
    await send_due(worker_database, twilio)
    assert fate(world, lost)["status"] == "sent"
    assert len(await twilio_standin.messages()) == 2


async def test_what_became_of_it_meanwhile_is_noted_too(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    """The callbacks came while nobody listened, so they are not waited for."""
    org = world.org()
    message_id = await interrupted(world, worker_database, org)
    await accept(twilio_standin, org, "Hello")
    await twilio_standin.control("statuses", {"status": "undelivered", "error_code": 30006})

    passes(world)
    await reconcile(worker_database, twilio)

    found = fate(world, message_id)
    assert (found["status"], found["error_code"]) == ("failed", "30006")


async def test_a_message_nobody_can_place_leaves_it_unknown(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    org = world.org()
    message_id = await interrupted(world, worker_database, org)
    await accept(twilio_standin, org, "Other words, of whoever else uses this number")

    for time in ("6 minutes", "1 hour", "2 hours", "1 day"):
        passes(world, time)
        assert await reconcile(worker_database, twilio) == 1
        assert fate(world, message_id)["status"] == "unknown"
    passes(world, "30 days")
    assert await reconcile(worker_database, twilio) == 0, "after a day nobody looks any more"
    assert await send_due(worker_database, twilio) == 0
    assert len(await twilio_standin.messages()) == 1


async def test_messages_of_other_texts_and_numbers_are_not_taken_for_it(
    world: World, worker_database: Database, twilio: TwilioSender, twilio_standin: Standin
) -> None:
    org, other = world.org(), world.org()
    world.message(org, "Hello")
    await send_due(worker_database, twilio)  # the same words, and we know which text they are
    message_id = await interrupted(world, worker_database, org)
    await accept(twilio_standin, org, "Hello", sender=other.phone)

    passes(world)
    await reconcile(worker_database, twilio)

    assert fate(world, message_id)["status"] == "queued"


async def test_while_twilio_cannot_be_asked_nothing_is_sent(
    world: World, worker_database: Database, twilio_standin: Standin, unused_tcp_port: int
) -> None:
    message_id = await interrupted(world, worker_database, world.org())
    passes(world)

    for url, token in ((f"http://127.0.0.1:{unused_tcp_port}", TOKEN), (twilio_standin.url, "another token")):
        async with TwilioSender(TwilioSettings(SID, Secret(token), url), CALLBACK) as deaf:
            assert await reconcile(worker_database, deaf) == 1
            assert fate(world, message_id)["status"] == "unknown"
        passes(world, "1 hour")

    async with TwilioSender(TwilioSettings(SID, Secret(TOKEN), twilio_standin.url), CALLBACK) as heard:
        assert await reconcile(worker_database, heard) == 1
    assert fate(world, message_id)["status"] == "queued"


async def test_a_list_with_something_left_off_proves_nothing(
    world: World, worker_database: Database, twilio: TwilioSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = world.org()
    monkeypatch.setattr(reconciling, "LISTED", 2)
    for number in range(2):
        world.message(org, f"earlier {number}")
    await send_due(worker_database, twilio)
    message_id = await interrupted(world, worker_database, org)

    passes(world)
    await reconcile(worker_database, twilio)

    assert fate(world, message_id)["status"] == "unknown"


# -- placing Twilio's messages with texts -----------------------------------------------------------------------------

NOW = datetime(2098, 1, 1, 12, tzinfo=UTC)


def text(body: str, minute: int = 0) -> Text:
    return Text(uuid4(), 1, "+61491570156", "+15005550001", body, Account(), NOW + timedelta(minutes=minute))


def listed(body: str, minute: float = 0, sid: str = "SM1") -> Listed:
    return Listed(sid, body, NOW + timedelta(minutes=minute), "sent", None)


def kinds(texts: list[Text], messages: list[Listed], *, complete: bool = True) -> list[str]:
    return [outcome.kind for _, outcome, _ in match(texts, messages, complete=complete)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "absent"),
        ([listed("Hello")], "sent"),
        ([listed(" Hello\r\n")], "sent"),
        ([listed("Sent from your Twilio trial account - Hello")], "sent"),
        ([listed("Say Hello")], "unclear"),
        ([listed("hello")], "unclear"),
        ([listed("")], "unclear"),  # Twilio can be told to keep no words
        ([listed("Hello", -1.5)], "sent"),  # its clock may be behind
        ([listed("Hello", -3)], "absent"),  # from before it was claimed
        ([listed("Other words", -3)], "absent"),
        ([listed("Other words"), listed("Hello", sid="SM2")], "sent"),
    ],
)
def test_which_message_is_this_text(found: list[Listed], expected: str) -> None:
    assert kinds([text("Hello")], found) == [expected]
    if expected == "absent":
        assert kinds([text("Hello")], found, complete=False) == ["unclear"]


def test_of_equal_texts_so_many_were_sent_as_there_are_messages() -> None:
    three = [text("Hello"), text("Hello", 1), text("Hello", 2)]

    assert kinds(three, []) == ["absent"] * 3
    assert kinds(three, [listed("Hello", 1.5)]) == ["sent", "absent", "absent"]
    assert kinds(three, [listed("Hello", 2, "SM1"), listed("Hello", 2, "SM2")]) == ["sent", "sent", "absent"]
    assert kinds([text("Hello"), text("Bye")], [listed("Bye")]) == ["absent", "sent"]


@given(
    texts=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=6),
    taken=st.lists(st.booleans(), min_size=6, max_size=6),
    strangers=st.lists(st.tuples(st.sampled_from("abc"), st.integers(-10, 10)), max_size=2),
)
def test_nothing_that_twilio_took_is_sent_again(
    texts: list[tuple[str, int]], taken: list[bool], strangers: list[tuple[str, int]]
) -> None:
    """By words and count: so many as Twilio took of equal texts are sent; none of them is tried again."""
    claimed = [text(body, minute) for body, minute in texts]
    messages = [
        listed(each.body, 5 + number / 60, f"SM{number}")
        for number, (each, took) in enumerate(zip(claimed, taken, strict=False))
        if took
    ]
    messages += [listed(body, minute, f"XX{n}") for n, (body, minute) in enumerate(strangers)]

    outcomes = match(claimed, messages, complete=True)

    sids = [outcome.provider_message_id for _, outcome, _ in outcomes if outcome.kind == "sent"]
    assert len(sids) == len(set(sids))
    for body in "ab":
        took = sum(1 for each, did in zip(claimed, taken, strict=False) if did and each.body == body)
        again = sum(outcome.kind == "absent" for each, outcome, _ in outcomes if each.body == body)
        assert again <= sum(each.body == body for each in claimed) - took
