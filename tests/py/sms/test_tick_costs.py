"""A tick with nothing due touches as many pages on a database full of what is over as on an empty one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import World

OLD = 5_000
TICKS = ("select app.queue_reminders()", "select * from app.claim_sms()")


def pages(world: World, tick: str) -> int:
    """Pages that a tick touches, in memory or not, once its plans are made."""
    for _ in range(8):
        [row] = world.rows(f"explain (analyze, buffers, format json) {tick}")
    top = row["QUERY PLAN"][0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def test_an_idle_tick_does_not_grow_with_what_is_over(world: World) -> None:
    org = world.org()
    few = {tick: pages(world, tick) for tick in TICKS}
    with world.db.transaction():
        world.db.execute("set local session_replication_role = replica")
        world.db.execute(
            "insert into public.bookings (org_id, client_id, start_time, end_time, status)"
            " select %s, %s, now() - n * interval '1 hour', now() - n * interval '1 hour' + interval '30 minutes',"
            "        case when n %% 10 = 0 then 'cancelled' else 'completed' end"
            "   from generate_series(1, %s) as n",
            [org.id, org.client_id, OLD],
        )
        world.db.execute(
            "insert into public.sms_messages (org_id, client_id, to_phone, from_phone, body, template_key, status,"
            " provider_message_id, related_entity_type, related_entity_id, scheduled_for, claimed_at)"
            " select b.org_id, b.client_id, '+61491570156', '+15005550001', 'Hello', 'reminder', 'delivered', b.id,"
            "        'booking', b.id, b.start_time, b.start_time"
            "   from public.bookings as b",
        )
    world.db.execute("vacuum (analyze) public.sms_messages")
    world.db.execute("vacuum (analyze) public.bookings")

    for tick in TICKS:
        assert pages(world, tick) <= few[tick] + 8


def test_what_is_due_is_found_by_an_index_of_what_waits(world: World) -> None:
    waiting = {
        "bookings_upcoming_idx": "(status = 'confirmed'::text)",
        "sms_messages_due_idx": "(status = ANY (ARRAY['pending'::text, 'queued'::text]))",
        "sms_messages_sending_idx": "(status = 'sending'::text)",
    }
    found = world.rows(
        "select c.relname as name, pg_get_expr(i.indpred, i.indrelid) as of from pg_index as i"
        " join pg_class as c on c.oid = i.indexrelid where c.relname = any (%s)",
        list(waiting),
    )
    assert {row["name"]: row["of"] for row in found} == waiting
