"""The audit makes nobody wait for anybody, and nothing of it outlives its org."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import World


async def test_what_is_audited_does_not_wait_for_a_change_of_the_org(world: World) -> None:
    org = world.org()
    booking_settings = "update public.booking_settings set slot_duration_mins = 45 where org_id = %s"
    changing, other = await world.connect(), await world.connect()
    async with changing, other:
        await other.execute("set lock_timeout = '5s'")
        await changing.execute("begin")
        # Locks the org's row against whoever would refer to it.
        await changing.execute("update public.orgs set slug = 'renamed' where id = %s", [org.id])
        await other.execute("update public.clients set notes = 'Hello' where org_id = %s", [org.id])
        await other.execute(booking_settings, [org.id])
        await changing.execute("update public.clients set notes = 'Bye' where org_id = %s", [org.id])
        await changing.execute("commit")

    recorded = world.rows(
        "select table_name, changes from public.audit_events"
        " where org_id = %s and action = 'update' and table_name <> 'sms_settings' order by seq",
        org.id,
    )
    assert [(r["table_name"], r["changes"].popitem()[1]["to"]) for r in recorded] == [
        ("orgs", "renamed"),
        ("clients", "Hello"),
        ("booking_settings", 45),
        ("clients", "Bye"),
    ]


async def test_an_org_takes_with_it_what_others_were_still_recording(world: World) -> None:
    org, neighbour = world.org(), world.org()
    kept = world.rows("select * from public.audit_events where org_id = %s", neighbour.id)
    changing, deleting = await world.connect(), await world.connect()
    async with changing, deleting:
        await changing.execute("begin")
        await changing.execute("update public.clients set notes = 'Hello' where org_id = %s", [org.id])
        await changing.execute("delete from public.offers where org_id = %s", [org.id])

        deletion = asyncio.create_task(deleting.execute("delete from public.orgs where id = %s", [org.id]))
        await world.until_blocked(deleting)
        await changing.execute("commit")
        await deletion

    assert world.rows("select 1 from public.orgs where id = %s", org.id) == []
    assert world.rows("select * from public.audit_events where org_id = %s", org.id) == []
    assert world.rows("select * from public.audit_events where org_id = %s", neighbour.id) == kept
