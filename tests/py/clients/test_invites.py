"""An invite is redeemed once, however many redeem it at the same moment."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from conftest import Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

    Connection = AsyncConnection[DictRow]


@asynccontextmanager
async def signed_in(world: World, *users: UUID) -> AsyncIterator[list[Connection]]:
    """A connection of each user, as the API makes them."""
    async with AsyncExitStack() as stack:
        connections = []
        for user_id in users:
            connection = await world.connect()
            stack.push_async_callback(connection.close)
            claims = f'{{"sub": "{user_id}", "role": "authenticated"}}'
            await connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
            await connection.execute("set role authenticated")
            connections.append(connection)
        yield connections


def invite(world: World, org: Org, code: str, client_id: UUID | None = None) -> None:
    world.db.execute(
        "insert into public.client_invites (org_id, client_id, invite_code, expires_at)"
        " values (%s, %s, %s, now() + interval '1 day')",
        [org.id, client_id or org.client_id, code],
    )


async def redeem(connection: Connection, code: str) -> object:
    """The client one became, or the code of the refusal."""
    try:
        found = await connection.execute("select client_id from public.redeem_invite(%s)", [code])
    except psycopg.Error as refused:
        return refused.diag.message_primary
    return (await found.fetchall())[0]["client_id"]


def linked(world: World) -> list[tuple[UUID, UUID]]:
    """Who is which client, by the clients; the invites must say the same."""
    clients = world.rows("select id, auth_user_id as user_id from public.clients where auth_user_id is not null")
    invites = world.rows(
        "select client_id as id, redeemed_by as user_id from public.client_invites where redeemed_by is not null"
    )
    assert sorted(clients, key=str) == sorted(invites, key=str)
    return [(row["id"], row["user_id"]) for row in clients]


async def test_ten_users_redeem_one_code_at_once(world: World) -> None:
    org = world.org()
    invite(world, org, "ONE-FOR-TEN")
    users = [world.user() for _ in range(10)]

    async with signed_in(world, *users) as connections:
        told = await asyncio.gather(*(redeem(connection, "ONE-FOR-TEN") for connection in connections))

    [winner] = [user for user, answer in zip(users, told, strict=True) if answer == org.client_id]
    assert told.count("invite_not_found") == 9
    assert linked(world) == [(org.client_id, winner)]


async def test_one_user_redeems_one_code_ten_times_at_once(world: World) -> None:
    org = world.org()
    invite(world, org, "TEN-FOR-ONE")
    user = world.user()

    async with signed_in(world, *[user] * 10) as connections:
        told = await asyncio.gather(*(redeem(connection, "TEN-FOR-ONE") for connection in connections))

    assert told == [org.client_id] * 10
    assert linked(world) == [(org.client_id, user)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_who_waits_for_another_sees_how_it_ended(world: World, end: str) -> None:
    org = world.org()
    invite(world, org, "SECOND-WAITS")
    first_user, second_user = world.user(), world.user()

    async with signed_in(world, first_user, second_user) as (first, second):
        await first.execute("begin")
        assert await redeem(first, "SECOND-WAITS") == org.client_id
        waiting = asyncio.ensure_future(redeem(second, "SECOND-WAITS"))
        await world.until_blocked(second)
        await first.execute(end)
        answer = await waiting

    committed = end == "commit"
    assert answer == ("invite_not_found" if committed else org.client_id)
    assert linked(world) == [(org.client_id, first_user if committed else second_user)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_two_codes_of_one_client(world: World, end: str) -> None:
    org = world.org()
    invite(world, org, "FIRST-CODE")
    invite(world, org, "SECOND-CODE")
    first_user, second_user = world.user(), world.user()

    async with signed_in(world, first_user, second_user) as (first, second):
        await first.execute("begin")
        assert await redeem(first, "FIRST-CODE") == org.client_id
        waiting = asyncio.ensure_future(redeem(second, "SECOND-CODE"))
        await world.until_blocked(second)
        await first.execute(end)
        answer = await waiting

    assert answer == ("client_has_user" if end == "commit" else org.client_id)
    assert len(linked(world)) == 1


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_one_user_redeems_codes_of_two_coaches(world: World, end: str) -> None:
    one, two = world.org(), world.org()
    invite(world, one, "OF-THE-ONE")
    invite(world, two, "OF-THE-OTHER")
    user = world.user()

    async with signed_in(world, user, user) as (first, second):
        await first.execute("begin")
        assert await redeem(first, "OF-THE-ONE") == one.client_id
        waiting = asyncio.ensure_future(redeem(second, "OF-THE-OTHER"))
        await world.until_blocked(second)
        await first.execute(end)
        answer = await waiting

    committed = end == "commit"
    assert answer == ("user_is_client" if committed else two.client_id)
    assert linked(world) == [(one.client_id if committed else two.client_id, user)]


async def test_a_coach_takes_back_while_the_user_redeems_again(world: World) -> None:
    """Both need the client and the invite; neither holds one while it waits for the other."""
    org = world.org()
    invite(world, org, "BACK-AND-FORTH")
    user = world.user()

    async with signed_in(world, user, org.owner_id) as (app, coach):
        assert await redeem(app, "BACK-AND-FORTH") == org.client_id
        await coach.execute("begin")
        await coach.execute("update public.clients set auth_user_id = null where id = %s", [org.client_id])
        waiting = asyncio.ensure_future(redeem(app, "BACK-AND-FORTH"))
        await world.until_blocked(app)
        await coach.execute("commit")
        assert await waiting == "invite_not_found"

    assert linked(world) == []
