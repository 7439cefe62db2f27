"""Sales by hand under two tabs: the books count a sale once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest

if TYPE_CHECKING:
    from conftest import Connection, Org, World

INSERT = """
    insert into public.client_purchases
      (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status, payment_method)
    values (%s, %s, %s, %s, 11000, 10, %s, 'cash')
"""
PAID = "update public.client_purchases set payment_status = 'succeeded', payment_method = 'cash' where id = %s"


def sale(world: World, org: Org, status: str) -> UUID:
    sale_id = uuid4()
    world.db.execute(INSERT, [sale_id, org.id, org.client_id, org.offer_id, status])
    return sale_id


def books(world: World) -> list[tuple[str, int]]:
    found = world.rows("select type, amount_cents from public.money_events order by type, reference_id")
    return [(row["type"], row["amount_cents"]) for row in found]


async def test_paid_cash_in_two_tabs_at_once_is_paid_once(world: World) -> None:
    org = world.org()
    sale_id = sale(world, org, "pending")
    async with world.connected(2, org.owner_id) as (first, second):
        await first.execute("begin")
        await first.execute(PAID, [sale_id])
        other = asyncio.create_task(second.execute(PAID, [sale_id]))
        await world.until_blocked(second)
        assert books(world) == []
        await first.execute("commit")
        assert (await other).rowcount == 1
    assert books(world) == [("INCOME", 11000)]


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_paid_in_one_tab_and_deleted_in_another(world: World, ends: str) -> None:
    org = world.org()
    sale_id = sale(world, org, "pending")
    async with world.connected(2, org.owner_id) as (first, second):
        await first.execute("begin")
        await first.execute(PAID, [sale_id])
        gone = asyncio.create_task(second.execute("delete from public.client_purchases where id = %s", [sale_id]))
        await world.until_blocked(second)
        await first.execute(ends)
        await gone

    assert books(world) == ([("INCOME", 11000), ("REFUND", -11000)] if ends == "commit" else [])


async def test_the_same_row_sent_by_many_at_once_is_one_sale(world: World) -> None:
    org, sale_id = world.org(), uuid4()

    async def send(tab: Connection) -> bool:
        try:
            await tab.execute(INSERT, [sale_id, org.id, org.client_id, org.offer_id, "succeeded"])
        except psycopg.errors.UniqueViolation:
            return False
        return True

    async with world.connected(8, org.owner_id) as tabs:
        assert sum(await asyncio.gather(*(send(tab) for tab in tabs))) == 1

    assert books(world) == [("INCOME", 11000)]


async def test_paid_and_undone_by_many_at_once_ends_as_the_last_one_left_it(world: World) -> None:
    org = world.org()
    sale_id = sale(world, org, "pending")

    async def toggle(tab: Connection, status: str) -> None:
        for _ in range(5):
            await tab.execute("update public.client_purchases set payment_status = %s where id = %s", [status, sale_id])

    async with world.connected(6, org.owner_id) as tabs:
        await asyncio.gather(*(toggle(t, s) for t, s in zip(tabs, ["succeeded", "pending", "failed"] * 2, strict=True)))

    paid = world.value("select payment_status = 'succeeded' from public.client_purchases")
    assert sum(cents for _, cents in books(world)) == (11000 if paid else 0)
    kinds = [kind for kind, _ in books(world)]
    assert kinds.count("INCOME") - kinds.count("REFUND") == (1 if paid else 0)
