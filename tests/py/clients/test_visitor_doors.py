"""Visitors without a login press twice, and many of them at once: each form counts once, each count is exact."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from conftest import Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

    Connection = AsyncConnection[DictRow]
    Work = Callable[[Connection], Coroutine[object, object, Any]]

ANSWERS = json.dumps({"full_name": "Jo Lee", "phone": "0412 345 678", "goals": ["Strength"]})
CODE = "FRIENDS1"


@asynccontextmanager
async def visitors(world: World, count: int) -> AsyncIterator[list[Connection]]:
    """`count` connections as the API makes them for somebody who is not signed in."""
    async with AsyncExitStack() as stack:
        connections = [await world.connect() for _ in range(count)]
        for connection in connections:
            # Closed, not committed: a transaction that a test left open was left open on purpose.
            stack.push_async_callback(connection.close)
            await connection.execute("select set_config('request.jwt.claims', '{\"role\": \"anon\"}', false)")
            await connection.execute("set role anon")
        yield connections


@asynccontextmanager
async def one_behind_another(world: World, work: Work) -> AsyncIterator[tuple[Any, Connection, asyncio.Task[Any]]]:
    """What the first, whose transaction is still open, was told; the first; and the second, which waits for it."""
    async with visitors(world, 2) as (first, second):
        await first.execute("begin")
        told = await work(first)
        waiting = asyncio.ensure_future(work(second))
        await world.until_blocked(second)
        yield told, first, waiting


async def call(connection: Connection, query: str, *arguments: object) -> Any:  # noqa: ANN401 - any SQL type
    """The only value of a query."""
    row = await (await connection.execute(query, arguments)).fetchone()
    assert row is not None
    [value] = row.values()
    return value


async def submit(connection: Connection, token: UUID) -> dict[str, str]:
    answer: dict[str, str] = await call(connection, "select public.submit_onboarding(%s, %s)", token, ANSWERS)
    return answer


async def sign(connection: Connection, token: UUID) -> dict[str, str]:
    answer: dict[str, str] = await call(connection, "select public.sign_waiver(%s)", token)
    return answer


async def refer(connection: Connection, email: str) -> dict[str, str]:
    answer: dict[str, str] = await call(connection, "select public.submit_referral(%s, 'Sam', %s)", CODE, email)
    return answer


async def ask(connection: Connection, slug: str, email: str | None) -> dict[str, str]:
    answer: dict[str, str] = await call(
        connection, "select public.capture_inquiry(%s, 'Sam', %s, null, 'Hello')", slug, email
    )
    return answer


def invited(world: World, org: Org) -> UUID:
    """The link of an onboarding form; the coach can be texted."""
    token = uuid4()
    world.db.execute("update public.clients set onboarding_token = %s where id = %s", [token, org.client_id])
    world.db.execute("update public.booking_settings set notify_phone = '+61491570110' where org_id = %s", [org.id])
    return token


def sent_waiver(world: World, org: Org) -> UUID:
    """The link of a waiver."""
    token: UUID = world.value(
        "insert into public.client_waivers (org_id, client_id) values (%s, %s) returning token", org.id, org.client_id
    )
    return token


def referral_link(world: World, org: Org) -> UUID:
    """A referral link with the code CODE."""
    link_id: UUID = world.value(
        "insert into public.referral_links (org_id, code, name) values (%s, %s, 'Friends') returning id", org.id, CODE
    )
    return link_id


def slug_of(world: World, org: Org) -> str:
    return str(world.value("select slug from public.orgs where id = %s", org.id))


def assert_onboarded_once(world: World, org: Org) -> None:
    client = world.one("select full_name, phone, onboarding_token from public.clients where id = %s", org.client_id)
    assert client == {"full_name": "Jo Lee", "phone": "+61412345678", "onboarding_token": None}
    assert world.rows("select status, source from public.client_waivers") == [
        {"status": "signed", "source": "onboarding"}
    ]
    assert world.rows("select to_phone from public.sms_messages") == [{"to_phone": "+61491570110"}]
    assert world.value("select count(*) from app.used_onboarding_tokens") == 1


# -- onboarding -------------------------------------------------------------------------------------------------------


async def test_ten_who_press_send_at_once_send_one_form(world: World) -> None:
    org = world.org()
    token = invited(world, org)

    async with visitors(world, 10) as tabs:
        answers = await asyncio.gather(*(submit(tab, token) for tab in tabs))

    assert answers == [{"status": "completed"}] * 10
    assert_onboarded_once(world, org)


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_form_sent_behind_another_is_answered_the_same_and_stored_once(world: World, end: str) -> None:
    org = world.org()
    token = invited(world, org)

    async with one_behind_another(world, lambda tab: submit(tab, token)) as (told, first, second):
        await first.execute(end)
        answer = await second

    assert told == answer == {"status": "completed"}
    assert_onboarded_once(world, org)


async def test_a_link_taken_back_while_the_form_is_sent_takes_nothing(world: World) -> None:
    org = world.org()
    token = invited(world, org)
    before = world.everything()

    async with visitors(world, 1) as (tab,), await world.connect() as coach:
        await coach.execute("begin")
        await coach.execute("update public.clients set onboarding_token = null where id = %s", [org.client_id])
        waiting = asyncio.ensure_future(submit(tab, token))
        await world.until_blocked(tab)
        await coach.execute("commit")
        with pytest.raises(psycopg.Error, match="token_not_found"):
            await waiting

    after = world.everything()
    # The coach's own change, and that it is on record.
    changed = {table for table in after if after[table] != before[table]}
    assert changed == {"public.clients", "public.audit_events"}
    assert world.value("select full_name from public.clients where id = %s", org.client_id) == "Jordan Lee"


# -- waivers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_waiver_signed_behind_another_is_signed_once(world: World, end: str) -> None:
    token = sent_waiver(world, world.org())

    async with one_behind_another(world, lambda tab: sign(tab, token)) as (told, first, second):
        await first.execute(end)
        answer = await second

    # Who comes second is told of the first signature, or makes it.
    assert (answer == told) == (end == "commit")
    signed_at = world.value("select to_jsonb(signed_at) #>> '{}' from public.client_waivers where status = 'signed'")
    assert answer == {"status": "signed", "signed_at": signed_at}


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_waiver_revoked_while_it_is_signed_is_not_signed(world: World, end: str) -> None:
    token = sent_waiver(world, world.org())

    async with visitors(world, 1) as (tab,), await world.connect() as coach:
        await coach.execute("begin")
        await coach.execute("update public.client_waivers set status = 'expired'")
        waiting = asyncio.ensure_future(sign(tab, token))
        await world.until_blocked(tab)
        await coach.execute(end)
        if end == "commit":
            with pytest.raises(psycopg.Error, match="waiver_expired"):
                await waiting
        else:
            assert (await waiting)["status"] == "signed"

    found = world.one("select status, signed_at is null as unsigned from public.client_waivers")
    revoked = end == "commit"
    assert found == {"status": "expired" if revoked else "signed", "unsigned": revoked}


# -- referrals --------------------------------------------------------------------------------------------------------


async def test_everybody_who_signs_up_at_once_is_counted_once(world: World) -> None:
    org = world.org()
    referral_link(world, org)

    async with visitors(world, 28) as tabs:
        # Each of fourteen people presses twice; one in capitals.
        emails = [f"friend{number % 14}@example.com" for number in range(28)]
        emails = [email.upper() if number < 14 else email for number, email in enumerate(emails)]
        answers = await asyncio.gather(*(refer(tab, email) for tab, email in zip(tabs, emails, strict=True)))

    assert answers == [{"status": "received"}] * 28
    assert world.value("select signups from public.referral_links") == 14
    assert world.value("select count(*) from public.referrals where status = 'pending'") == 14
    assert world.value("select count(*) from public.inquiries") == 14
    unlinked = (
        "select count(*) from public.inquiries i left join public.referrals r on r.inquiry_id = i.id where r is null"
    )
    assert world.value(unlinked) == 0


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_signup_behind_another_of_the_same_person_is_one(world: World, end: str) -> None:
    referral_link(world, world.org())

    async with one_behind_another(world, lambda tab: refer(tab, "sam@example.com")) as (told, first, second):
        await first.execute(end)
        answer = await second

    assert told == answer == {"status": "received"}
    assert world.value("select signups from public.referral_links") == 1
    assert world.value("select count(*) from public.referrals") == 1
    assert world.value("select count(*) from public.inquiries") == 1


async def test_no_click_is_lost(world: World) -> None:
    link_id = referral_link(world, world.org())

    async def click(connection: Connection) -> list[Any]:
        return [await call(connection, "select public.track_referral_click(%s)", CODE) for _ in range(5)]

    async with visitors(world, 20) as tabs:
        answers = await asyncio.gather(*(click(tab) for tab in tabs), *(refer(tab, "sam@example.com") for tab in tabs))

    assert answers[:20] == [[link_id] * 5] * 20
    assert world.one("select clicks, signups from public.referral_links") == {"clicks": 100, "signups": 1}


async def test_a_lead_converted_in_two_tabs_counts_once(world: World) -> None:
    org = world.org()
    referral_link(world, org)
    clients = [world.client(org, f"+6149157011{number}") for number in range(2)]
    async with visitors(world, 1) as (tab,):
        await refer(tab, "sam@example.com")

    async with await world.connect() as first, await world.connect() as second:
        convert = "update public.inquiries set status = 'WON', converted_client_id = %s"
        await first.execute("begin")
        await first.execute(convert, [clients[0]])
        waiting = asyncio.ensure_future(second.execute(convert, [clients[1]]))
        await world.until_blocked(second)
        await first.execute("commit")
        await waiting

    assert world.value("select conversions from public.referral_links") == 1
    assert world.one("select status, referred_client_id from public.referrals") == {
        "status": "converted",
        "referred_client_id": clients[0],
    }


# -- leads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["sam@example.com", None])
async def test_ten_who_ask_the_same_at_once_are_one_lead(world: World, email: str | None) -> None:
    slug = slug_of(world, world.org())

    async with visitors(world, 10) as tabs:
        answers = await asyncio.gather(*(ask(tab, slug, email) for tab in tabs))

    assert answers == [answers[0]] * 10
    assert world.value("select count(*) from public.inquiries") == 1


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_who_asks_behind_another_with_the_same_address_is_the_same_lead(world: World, end: str) -> None:
    slug = slug_of(world, world.org())

    async with one_behind_another(world, lambda tab: ask(tab, slug, "sam@example.com")) as (told, first, second):
        await first.execute(end)
        answer = await second

    assert told == answer
    assert world.value("select count(*) from public.inquiries") == 1


async def test_no_more_than_the_limit_get_through_at_once(world: World) -> None:
    slug = slug_of(world, world.org())
    query = "select app.capture_inquiry(%s, 'Sam', %s, null, null, null, '2026-05-01 10:00Z')"

    async def attempt(connection: Connection, number: int) -> str:
        try:
            await call(connection, query, slug, f"friend{number}@example.com")
        except psycopg.Error as refusal:
            return str(refusal.diag.message_primary)
        return "taken"

    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(await world.connect()) for _ in range(40)]
        answers = await asyncio.gather(*(attempt(c, number) for number, c in enumerate(connections)))

    assert (answers.count("taken"), answers.count("too_many_requests")) == (30, 10)
    assert world.value("select count(*) from public.inquiries") == 30
