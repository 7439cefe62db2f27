"""A code of five uses is used five times, however many sell with it at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest

if TYPE_CHECKING:
    from conftest import Connection, Org, World

SALE = """
    insert into public.client_purchases
      (org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, promo_code_id, discount_cents)
    values (%s, %s, %s, 81000, 10, %s, %s, 9000) returning id
"""


def code(world: World, org: Org, max_uses: int | None) -> UUID:
    code_id: UUID = world.value(
        "insert into public.promo_codes (org_id, code, discount_type, discount_value, max_uses)"
        " values (%s, 'SPRING', 'percentage', 10, %s) returning id",
        org.id, max_uses,
    )  # fmt: skip
    return code_id


async def sell(world: World, tab: Connection, org: Org, code_id: UUID, status: str = "pending") -> UUID:
    sale_id: UUID = await world.ask(tab, SALE, org.id, org.client_id, org.offer_id, status, code_id)
    return sale_id


async def test_twenty_sales_at_once_with_a_code_of_five_uses(world: World) -> None:
    org = world.org()
    code_id = code(world, org, 5)

    async def click(tab: Connection) -> str:
        """As the client page does it: the sale, then its own count of what it loaded before."""
        try:
            await sell(world, tab, org, code_id)
        except psycopg.Error as error:
            return error.diag.message_primary or ""
        await tab.execute("update public.promo_codes set times_used = 1 where id = %s", [code_id])
        return "sold"

    async with world.connected(20, org.owner_id) as tabs:
        outcomes = await asyncio.gather(*(click(tab) for tab in tabs))

    assert sorted(outcomes) == ["promo_code_used_up"] * 15 + ["sold"] * 5
    assert world.value("select times_used from public.promo_codes") == 5
    assert world.value("select count(*) from public.client_purchases") == 5


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_the_last_use_waits_for_who_has_it(world: World, ends: str) -> None:
    org = world.org()
    code_id = code(world, org, 1)
    async with world.connected(2, org.owner_id) as (first, second):
        await first.execute("begin")
        await sell(world, first, org, code_id)
        other = asyncio.create_task(sell(world, second, org, code_id))
        await world.until_blocked(second)
        await first.execute(ends)
        if ends == "commit":
            with pytest.raises(psycopg.Error, match="promo_code_used_up"):
                await other
        else:
            await other

    assert world.value("select times_used from public.promo_codes") == 1
    assert world.value("select count(*) from public.client_purchases") == 1


async def test_sales_made_and_taken_back_at_once_are_all_counted(world: World) -> None:
    org = world.org()
    code_id = code(world, org, None)

    async def sell_and_change(tab: Connection, number: int) -> None:
        for turn in range(6):
            sale_id = await sell(world, tab, org, code_id)
            match (number + turn) % 3:
                case 0:
                    await tab.execute("delete from public.client_purchases where id = %s", [sale_id])
                case 1:
                    await tab.execute(
                        "update public.client_purchases set payment_status = 'failed' where id = %s", [sale_id]
                    )

    async with world.connected(6, org.owner_id) as tabs:
        await asyncio.gather(*(sell_and_change(tab, number) for number, tab in enumerate(tabs)))

    standing = world.value("select count(*) from public.client_purchases where payment_status = 'pending'")
    assert world.value("select times_used from public.promo_codes") == standing == 12


async def test_two_workers_expire_each_checkout_once(world: World) -> None:
    org = world.org()
    code(world, org, None)
    for minutes in range(6):
        world.db.execute(
            "select app.begin_checkout("
            "%s, %s, null, %s, 'SPRING', now() - interval '2 hours' + %s * interval '11 minutes')",
            [org.owner_id, org.client_id, org.offer_id, minutes],
        )
    assert world.value("select times_used from public.promo_codes") == 6

    async with world.connected(3) as workers:
        counts = await asyncio.gather(*(world.ask(worker, "select app.expire_checkouts()") for worker in workers))

    assert sum(counts) == 5  # the last one is open for a while
    assert world.value("select times_used from public.promo_codes") == 1
