"""What was edited while the ledger's triggers were exchanged is in the ledger all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.layout import ROOT

if TYPE_CHECKING:
    from conftest import World

MIGRATION = ROOT / "supabase" / "migrations" / "20261124100200_ledger_gap.sql"
TRIGGER = ROOT / "supabase" / "functions_sql" / "sessions" / "write_ledger_entry.sql"


def test_an_edit_between_the_two_triggers_is_an_adjustment(world: World) -> None:
    org = world.org()
    untouched, edited = world.pack(org), world.pack(org)
    world.db.execute("update public.client_purchases set sessions_used = 2 where id in (%s, %s)", [untouched, edited])
    # As after the first of the two migrations …
    world.db.execute("drop trigger client_purchases_write_ledger_entry on public.client_purchases")
    world.db.execute("update public.client_purchases set sessions_used = 1 where id = %s", [edited])
    opened = world.pack(org)
    world.db.execute("update public.client_purchases set sessions_used = 3 where id = %s", [opened])
    # … and the second.
    world.db.execute(TRIGGER.read_bytes())
    assert len(world.rows("select from app.session_discrepancies()")) == 2

    for _ in range(2):  # run again it finds nothing to do
        world.db.execute(MIGRATION.read_bytes())
        entries = world.rows(
            "select purchase_id, entry_type, delta, sessions_used_after from public.session_ledger"
            " where reason = 'edited_during_migration'"
        )
        assert sorted(entries, key=lambda entry: entry["delta"]) == [
            {"purchase_id": edited, "entry_type": "adjustment", "delta": -1, "sessions_used_after": 1},
            {"purchase_id": opened, "entry_type": "adjustment", "delta": 3, "sessions_used_after": 3},
        ]
        assert world.rows("select from app.session_discrepancies()") == []
    closed = "select tgenabled from pg_trigger where tgname = 'session_ledger_by_counter_only'"
    assert world.value(closed) == "O", "and nobody writes entries by hand"
