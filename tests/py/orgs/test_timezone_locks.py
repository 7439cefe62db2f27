"""Whoever writes the org's time zone, through whichever of its columns, waits in turn; nobody is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import World


@pytest.mark.parametrize("mirror", ["booking_settings", "sms_settings"])
async def test_a_mirror_is_locked_after_its_org(world: World, mirror: str) -> None:
    org = world.org()
    save = f"update public.{mirror} set timezone = 'Europe/Berlin' where org_id = '{org.id}'"
    async with await world.connect() as holder, world.connected(1, org.owner_id) as (coach,):
        await holder.execute("begin")
        await holder.execute("select from public.orgs where id = %s for no key update", [org.id])
        saving = asyncio.ensure_future(coach.execute(save.encode()))
        await world.until_blocked(coach)

        # What the change of the org itself would go on to: nobody holds it.
        found = world.rows(f"select org_id from public.{mirror} where org_id = %s for update nowait", org.id)
        assert found == [{"org_id": org.id}]

        await holder.execute("update public.orgs set timezone = 'Asia/Tokyo' where id = %s", [org.id])
        await holder.execute("commit")
        await saving

    zones = world.one(
        "select o.timezone, b.timezone as bookings, s.timezone as texts from public.orgs as o"
        " join public.booking_settings as b on b.org_id = o.id join public.sms_settings as s on s.org_id = o.id"
        " where o.id = %s",
        org.id,
    )
    assert set(zones.values()) == {"Europe/Berlin"}


async def test_many_who_save_the_zone_at_once_all_do(world: World) -> None:
    org = world.org()
    saves = [
        "update public.orgs set timezone = %s where id = %s",
        "update public.booking_settings set timezone = %s where org_id = %s",
        "update public.sms_settings set timezone = %s where org_id = %s",
    ]
    async with world.connected(6, org.owner_id) as coaches:
        for zone in ["Europe/Berlin", "Asia/Tokyo", "America/Lima", "Australia/Perth"] * 3:
            await asyncio.gather(
                *(coach.execute(saves[n % 3].encode(), [zone, org.id]) for n, coach in enumerate(coaches))
            )
            assert world.value("select timezone from public.sms_settings where org_id = %s", org.id) == zone
