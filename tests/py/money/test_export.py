"""GET /exports/money.csv: the owner's books, to the cent, and no formula in them."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import Answer, Auth, Org, Sidecar, World


async def export(sidecar: Sidecar, token: str, org_id: UUID, **dates: str) -> Answer:
    query = "&".join([f"org_id={org_id}", *(f"{name}={value}" for name, value in dates.items())])
    return await sidecar.post(f"/exports/money.csv?{query}", headers={"Authorization": f"Bearer {token}"}, method="GET")


def table(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def money(world: World, org: Org, at: str, cents: int, kind: str = "INCOME", **more: object) -> None:
    row = {
        "org_id": org.id, "event_date": at, "amount_cents": cents, "type": kind, "source": "stripe",
        "payment_status": "succeeded", "client_id": org.client_id,
    } | more  # fmt: skip
    world.db.execute(
        f"insert into public.money_events ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        list(row.values()),
    )


@pytest.mark.parametrize("role", ["owner", "accountant_readonly"])
async def test_a_month_adds_up_to_the_finance_page(sidecar: Sidecar, world: World, auth: Auth, role: str) -> None:
    org = world.org("Pacific/Auckland")
    for cents in range(1, 300):
        money(world, org, "2026-03-31 10:59:59+00", cents, tax_cents=cents // 11, tax_cat="GST")
    money(world, org, "2026-03-31 11:00+00", 5)  # April in Auckland
    money(world, org, "2026-03-10", -1234567, "REFUND", payment_status=None)
    money(world, org, "2026-03-10", -99, "FEE")
    money(world, org, "2026-03-10", 777, payment_status="failed")
    money(world, org, "2026-03-10", -5000, "PAYOUT", client_id=None)
    money(world, org, "2026-03-11", 1250, currency="jpy")
    user_id = org.owner_id if role == "owner" else world.member(org, role)

    answer = await export(sidecar, auth.sign_in(user_id), org.id, **{"from": "2026-03-01", "to": "2026-03-31"})

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="money.csv"'
    rows = table(answer)
    assert len(rows) == 299 + 4
    assert {row["event_date"] for row in rows} == {"2026-03-10", "2026-03-11", "2026-03-31"}
    assert next(row["amount"] for row in rows if row["currency"] == "jpy") == "1250"
    mine = [row for row in rows if row["currency"] == "aud" and row["type"] != "PAYOUT"]
    net = world.value("select net_cents from public.finance_monthly where period = '2026-03'")
    assert sum(Decimal(row["amount"]) for row in mine) == Decimal(net).scaleb(-2)
    assert sum(Decimal(row["tax"]) for row in mine) == Decimal(sum(c // 11 for c in range(1, 300))).scaleb(-2)
    assert [row["amount"] for row in mine if row["type"] == "REFUND"] == ["-12345.67"]
    assert len(table(await export(sidecar, auth.sign_in(user_id), org.id))) == 299 + 5


FORMULAS = ["=1+1", "+61491570156", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


async def test_no_cell_is_a_formula(sidecar: Sidecar, world: World, auth: Auth) -> None:
    org = world.org()
    for formula in FORMULAS:
        money(world, org, "2026-03-10", 100, notes=formula)
    for harmless in ['Ada, "the" coach\nand more', "1-2"]:
        money(world, org, "2026-03-11", 100, notes=harmless)
    world.db.execute("update public.clients set full_name = '=HYPERLINK(\"http://evil.example\")'")

    rows = table(await export(sidecar, auth.sign_in(org.owner_id), org.id))

    assert {row["notes"] for row in rows[: len(FORMULAS)]} == {f"'{formula}" for formula in FORMULAS}
    assert {row["notes"] for row in rows[len(FORMULAS) :]} == {'Ada, "the" coach\nand more', "1-2"}
    assert {row["client_name"] for row in rows} == {'\'=HYPERLINK("http://evil.example")'}


@pytest.mark.parametrize("who", ["staff", "another owner", "nobody"])
async def test_the_books_are_the_owners_and_the_accountants(
    sidecar: Sidecar, world: World, auth: Auth, who: str
) -> None:
    org = world.org()
    match who:
        case "staff":
            token = auth.sign_in(world.member(org, "staff"))
        case "another owner":
            token = auth.sign_in(world.org().owner_id)
        case _:
            token = "no token"

    answer = await export(sidecar, token, org.id)

    expected = (401, "sign_in_required") if who == "nobody" else (404, "org_not_found")
    assert (answer.status, answer.json()["code"]) == expected
    nonsense = await export(sidecar, auth.sign_in(org.owner_id), org.id, **{"from": "yesterday"})
    assert nonsense.status == 400
