"""What a worker's tick costs: it must grow with what is due, not with what is stored.

The same ticks with none, ten and five hundred rows due, on a small database and on the run's large one. The bare limit
is one update of the same rows by their ids, without triggers: the least that changing them can take.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench.measure import Timing, in_turn, table

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection
    from psycopg.errors import Diagnostic

    from bench.ground import Ground

SMALL = {"orgs": 100, "bookings": 10_000}
DUE = (0, 10, 500)
LIMIT = 2.0
"""A tick on the large database touches at most so many times the pages that it touches on the small one."""

WAITING_TEXTS_SQL = b"""
    insert into public.sms_messages (
      org_id, client_id, to_phone, from_phone, template_key, body, related_entity_type, related_entity_id,
      scheduled_for, idempotency_key
    )
    select b.org_id, b.client_id, c.phone, s.twilio_phone_number, 'booking_confirmation',
           'Hi Client, you are booked for Monday 1 January at 9:00am. Reply Y to confirm. Org', 'booking', b.id,
           now() + interval '1 hour' + make_interval(secs => row_number() over (order by b.id)), 'due:' || b.id
      from public.bookings as b
      join public.clients as c on c.id = b.client_id
      join public.sms_settings as s on s.org_id = b.org_id
     where b.status = 'confirmed' and b.start_time > now() + interval '2 days'
     order by b.id
     limit 500
"""


@dataclass(frozen=True, slots=True)
class Tick:
    """Something the worker does every minute."""

    name: str
    call: bytes
    """Takes the instant and how many rows at most; returns how many it took."""
    due: bytes
    """Id and time of the rows that are due first; takes how many."""
    bare: bytes
    """Changes the rows of these ids and does nothing else."""


TICKS = (
    Tick(
        "complete_past_bookings",
        b"select app.complete_past_bookings(%s, %s)",
        b"select id, end_time from public.bookings where status = 'confirmed' order by 2, 1 limit %s",
        b"update public.bookings set status = 'completed' where id = any (%s)",
    ),
    Tick(
        "claim_sms",
        b"select count(*) from app.claim_sms(%s, %s)",
        b"select id, scheduled_for from public.sms_messages where status = 'pending' order by 2, 1 limit %s",
        b"update public.sms_messages set status = 'sending', locked_until = now() where id = any (%s)",
    ),
)


def run(ground: Ground) -> list[str]:
    """Measure and print; returns a sentence for each promise that does not hold."""
    small, large = ground.filled(**SMALL), ground.filled()
    failures = []
    with ExitStack() as stack:
        admin = {name: stack.enter_context(ground.connect(name)) for name in (small, large)}
        worker = {name: stack.enter_context(ground.connect(name, "coach_os_worker")) for name in (small, large)}
        bare = stack.enter_context(ground.connect(large))
        bare.execute("set session_replication_role = replica")
        for db in admin.values():
            db.execute(WAITING_TEXTS_SQL)
            db.execute("vacuum (analyze) public.sms_messages")
        stored = [f"{SMALL['bookings']:,} stored", f"{ground.bookings:,} stored"]
        shown = table("tick", "due", *stored, "ratio", "pages", "ratio", "bare limit")
        for tick in TICKS:
            for due in DUE:
                instants = {name: _due(admin[name], tick, due) for name in (small, large)}
                contenders = {
                    name: partial(_run, worker[name], tick.call, [instants[name][0], max(due, 1)], due)
                    for name in (small, large)
                }
                ids = instants[large][1]
                times = in_turn(
                    contenders | {"bare": partial(_run, bare, tick.bare, [ids], None)},
                    rounds=100 if due < 100 else 5,
                    warm_up=1,
                )
                timing = {name: Timing.of(seconds) for name, seconds in times.items()}
                pages = {
                    name: _pages(worker[name], tick.call, [instants[name][0], max(due, 1)]) for name in (small, large)
                }
                grown = pages[large] / pages[small]
                shown.add_row(
                    *(tick.name, str(due), str(timing[small]), str(timing[large])),
                    *(f"{timing[large].over(timing[small]):.2f}", f"{pages[small]:,} → {pages[large]:,}"),
                    *(f"{grown:.2f}", str(timing["bare"]) if due else ""),
                )
                if grown > LIMIT:
                    failures.append(
                        f"{tick.name} with {due} rows due touched {grown:.2f} times the pages on a large database that "
                        f"it touched on a small one: at most {LIMIT} is promised."
                    )
        ground.show("Ticks with so many rows due, in ms: median (middle half of the rounds)", shown)
        for tick in TICKS:
            instant, _ = _due(admin[large], tick, 10)
            ground.show(
                f"Plan by which {tick.name} finds 10 due among {ground.bookings:,}",
                _nested_plan(admin[large], tick.call, [instant, 500]),
            )
    return failures


def _due(db: Connection, tick: Tick, due: int) -> tuple[datetime, list[UUID]]:
    """The instant at which so many rows are due, and their ids."""
    rows = db.execute(tick.due, [max(due, 1)]).fetchall()
    if due == 0:
        return db.execute("select %s - interval '1 second'", [rows[0][1]]).fetchall()[0][0], []
    return rows[-1][1], [row[0] for row in rows]


def _run(db: Connection, statement: bytes, arguments: list[object], expected: int | None) -> float:
    """Seconds that a statement takes; it is undone, so that every round finds the same rows."""
    db.execute("begin")
    began = time.perf_counter()
    cursor = db.execute(statement, arguments, prepare=True)
    seconds = time.perf_counter() - began
    if expected is not None and (found := cursor.fetchall()[0][0]) != expected:
        raise RuntimeError(f"{found} rows were taken, {expected} are due")
    db.execute("rollback")
    return seconds


def _pages(db: Connection, statement: bytes, arguments: list[object]) -> int:
    """Pages that a statement touches, in memory or not, with all that its functions and triggers do."""
    db.execute("begin")
    [(explained,)] = db.execute(b"explain (analyze, buffers, format json) " + statement, arguments).fetchall()
    db.execute("rollback")
    top = explained[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def _nested_plan(db: Connection, statement: bytes, arguments: list[object]) -> str:
    """The plan of the query inside a function that picks the rows that are due."""
    plans: list[str] = []

    def keep(notice: Diagnostic) -> None:
        text = notice.message_primary or ""
        if "skip locked" in text:
            plans.append(text)

    db.add_notice_handler(keep)
    db.execute(
        "load 'auto_explain'; set client_min_messages = 'notice'; set auto_explain.log_level = 'notice';"
        "set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;"
        "set auto_explain.log_analyze = on; set auto_explain.log_buffers = on"
    )
    db.execute("begin")
    db.execute(statement, arguments)
    db.execute("rollback")
    db.execute("set auto_explain.log_min_duration = -1; set client_min_messages = 'warning'")
    db.remove_notice_handler(keep)
    lines = plans[0].splitlines()
    return "\n".join(lines[next(number for number, line in enumerate(lines) if "(cost=" in line) :])
