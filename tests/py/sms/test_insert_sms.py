"""Two service-role routes that queue the same text at the same moment queue it once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

    Connection = AsyncConnection[DictRow]


@asynccontextmanager
async def route(world: World) -> AsyncIterator[Connection]:
    """A connection as the API makes it for the service key."""
    connection = await world.connect()
    try:
        await connection.execute("set role service_role")
        yield connection
    finally:
        await connection.close()


async def queue(connection: Connection, org: Org, key: str) -> UUID | None:
    cursor = await connection.execute(
        "select public.insert_sms_direct(p_org_id => %s, p_client_id => %s, p_body => 'Hello', p_idempotency_key => %s)"
        " as id",
        [org.id, org.client_id, key],
    )
    row = await cursor.fetchone()
    assert row is not None
    message_id: UUID | None = row["id"]
    return message_id


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_the_second_with_a_key_waits_and_queues_only_what_the_first_took_back(world: World, end: str) -> None:
    org = world.org()

    async with route(world) as first, route(world) as second:
        await first.execute("begin")
        told = await queue(first, org, "reminder")
        waiting = asyncio.ensure_future(queue(second, org, "reminder"))
        await world.until_blocked(second)
        await first.execute(end)
        answer = await waiting

    assert isinstance(told, UUID)
    [message] = world.rows("select id from public.sms_messages")
    assert (message["id"], answer) == ((told, None) if end == "commit" else (answer, message["id"]))


async def test_twenty_with_a_key_and_one_of_them_is_told_an_id(world: World) -> None:
    org = world.org()

    async def once() -> UUID | None:
        async with route(world) as connection:
            return await queue(connection, org, "reminder")

    answers = await asyncio.gather(*(once() for _ in range(20)))

    [told] = [answer for answer in answers if answer is not None]
    assert [row["id"] for row in world.rows("select id from public.sms_messages")] == [told]


async def test_two_keys_do_not_wait_for_each_other(world: World) -> None:
    org = world.org()

    async with route(world) as first, route(world) as second:
        await first.execute("begin")
        told = await queue(first, org, "one")
        async with asyncio.timeout(10):
            other = await queue(second, org, "two")
        await first.execute("commit")

    assert None not in {told, other}
    assert {row["id"] for row in world.rows("select id from public.sms_messages")} == {told, other}
