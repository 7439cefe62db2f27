"""What a select list of the pages asks for, and what hosted Supabase answers: one object, or an array, per embed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.rows import Row, Scene

EMBEDS = {
    # (table, name in the select list): (table embedded, column that refers, whether it is this table's)
    ("bookings", "clients"): ("clients", "client_id", True),
    ("bookings", "orgs"): ("orgs", "org_id", True),
    ("bookings", "offers"): ("offers", "offer_id", True),
    ("client_purchases", "offers"): ("offers", "offer_id", True),
    ("client_purchases", "offer_id"): ("offers", "offer_id", True),
    ("clients", "orgs!clients_org_id_fkey"): ("orgs", "org_id", True),
    ("clients", "subscriptions"): ("subscriptions", "client_id", False),
    ("clients", "client_risk"): ("client_risk", "client_id", False),
    ("org_members", "orgs"): ("orgs", "org_id", True),
    ("orgs", "clients"): ("clients", "org_id", False),
    ("orgs", "subscriptions"): ("subscriptions", "org_id", False),
    ("money_events", "clients"): ("clients", "client_id", True),
    ("client_risk", "clients"): ("clients", "client_id", True),
    ("automation_runs", "clients"): ("clients", "client_id", True),
    ("message_threads", "clients"): ("clients", "client_id", True),
    ("automation_runs", "automations"): ("automations", "automation_id", True),
    ("referrals", "referral_links"): ("referral_links", "referral_link_id", True),
    ("client_habits", "habits"): ("habits", "habit_id", True),
    ("client_invites", "clients"): ("clients", "client_id", True),
    ("client_invites", "orgs"): ("orgs", "org_id", True),
}


@dataclass(frozen=True)
class Embed:
    """One embed of a select list."""

    name: str
    columns: list[str]


def parse(select: str) -> tuple[list[str], list[Embed]]:
    """Columns and embeds of a select list."""
    columns, embeds = [], []
    for name, inner in re.findall(r"([^,()\s]+)\s*(?:\(([^)]*)\))?", select):
        if inner:
            embeds.append(Embed(name, re.split(r"\s*,\s*", inner.strip())))
        else:
            columns.append(name)
    return columns, embeds


def fill_embeds(scene: Scene, table: str, select: str) -> None:
    """Give the scene's client one row of every kind that is embedded as an array."""
    for embed in parse(select)[1]:
        target, _, own = EMBEDS[table, embed.name]
        if not own:
            scene.row(target)


def expected(scene: Scene, table: str, select: str, row: Row) -> Row:
    """What the select list makes of a row: the JSON that Postgres writes, which is what hosted Supabase sends."""
    columns, embeds = parse(select)
    answer = dict(row) if "*" in columns else {column: row[column] for column in columns}
    return answer | dict(_embedded(scene, table, row, embeds))


def _embedded(scene: Scene, table: str, row: Row, embeds: list[Embed]) -> Iterator[tuple[str, Any]]:
    for embed in embeds:
        target, column, own = EMBEDS[table, embed.name]
        found = scene.find(target, {"id": row[column]} if own else {column: row["id"]})
        if embed.columns == ["count"]:
            # Of those whom the caller may see.
            value: Any = [{"count": ANY}]
        else:
            rows = [{name: one[name] for name in embed.columns} for one in found]
            value = rows if not own else rows[0] if rows else None
        yield embed.name.split("!")[0], value
