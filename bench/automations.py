"""What it costs that automations fire when they are due: a tick must grow with what is due, not with what is stored.

A tick with ten due among a million automations, against the same among a thousand. Then ten thousand that are due at
once, each for one client: how fast the worker drains them and in how much memory, against the same done one by one, as
a scheduled function does that looks at one client after another.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Timing, in_turn, table
from sidecar.automations.firing import fire_due
from sidecar.database import Database, create_pool
from sidecar.settings import Secret

if TYPE_CHECKING:
    from psycopg import Connection

    from bench.ground import Ground

AUTOMATIONS_SQL = Path(__file__).with_name("automations.sql")
FEW, MANY = 1_000, 1_000_000
DUE, ROUNDS = 10, 60
LIMIT = 1.5
"""So many times as long as among a thousand a tick among a million takes at most."""

BACKLOG, ONE_BY_ONE = 10_000, 1_000
MEMORY_LIMIT = 1.25
"""So many times the memory that the worker and its connections have after a tenth they have at the end, at most."""

TICK = b"select app.claim_due_automations(%s, 200), app.run_due_slots(%s, 200)"


def run(ground: Ground) -> list[str]:
    """Measure and print; returns a sentence for each promise that does not hold."""
    base = ground.filled(orgs=max(ground.orgs, BACKLOG), bookings=10_000)
    names = {count: _filled(ground, base, count) for count in (FEW, MANY)}
    return [*_tick(ground, names), *_drain(ground, names[MANY], names[FEW])]


def _filled(ground: Ground, base: str, count: int) -> str:
    name = f"{base}_automations_{count}"
    started = time.perf_counter()
    ground.cluster.create_database(name, base)
    with ground.connect(name) as db, ground.careless(db):
        db.execute("select set_config('bench.automations', %s, false)", [str(count)])
        db.execute(AUTOMATIONS_SQL.read_bytes())
        db.execute("vacuum (analyze)")
    ground.console.print(f"Filled {name} in {time.perf_counter() - started:.0f} s.")
    return name


# -- a tick -----------------------------------------------------------------------------------------------------------


def _tick(ground: Ground, names: dict[int, str]) -> list[str]:
    with ExitStack() as stack:
        worker = {count: stack.enter_context(ground.connect(name, "coach_os_worker")) for count, name in names.items()}
        admin = {count: stack.enter_context(ground.connect(name)) for count, name in names.items()}
        shown = table("due", f"{FEW:,} automations", f"{MANY:,} automations", "ratio")
        failures = []
        for due in (0, DUE):
            contenders = {str(count): partial(_run, worker[count], _instant(admin[count], due), due) for count in names}
            times = in_turn(contenders, rounds=ROUNDS, warm_up=3, budget_s=60)
            timing = {count: Timing.of(times[str(count)]) for count in names}
            ratio = timing[MANY].over(timing[FEW])
            shown.add_row(str(due), str(timing[FEW]), str(timing[MANY]), f"{ratio:.2f}")
            if due and ratio > LIMIT:
                failures.append(
                    f"A tick with {due} due among {MANY:,} automations took {ratio:.2f} times as long as among "
                    f"{FEW:,}: at most {LIMIT} is promised."
                )
    ground.show("A tick, claimed and done, in ms: median (middle half of the rounds)", shown)
    return failures


def _instant(admin: Connection, due: int) -> object:
    """When so many are due."""
    query = (
        "select next_due_at - make_interval(secs => %s) from public.automations order by next_due_at offset %s limit 1"
    )
    return admin.execute(query.encode(), [0 if due else 1, max(due - 1, 0)]).fetchall()[0][0]


def _run(db: Connection, instant: object, due: int) -> float:
    """Seconds that a tick takes; it is undone, so that every round finds the same."""
    db.execute("begin")
    began = time.perf_counter()
    found = db.execute(TICK, [instant, instant], prepare=True).fetchall()
    seconds = time.perf_counter() - began
    db.execute("rollback")
    if found != [(due, due)]:
        raise RuntimeError(f"{found} were claimed and done, {due} are due")
    return seconds


# -- a backlog --------------------------------------------------------------------------------------------------------


def _drain(ground: Ground, name: str, other: str) -> list[str]:
    with ground.connect(name) as admin:
        admin.execute(
            b"update public.automations set next_due_at = now() - interval '1 hour'"
            b" where id in (select md5('automation ' || n)::uuid from generate_series(1, %s) as n)",
            [BACKLOG],
        )
        admin.execute("vacuum (analyze) public.automations")
        began = time.perf_counter()
        samples = asyncio.run(_drained(ground.cluster.url("coach_os_worker", name), admin))
        seconds = time.perf_counter() - began
        [(done, ok)] = admin.execute(
            "select count(*), count(*) filter (where status = 'ok') from public.automation_runs"
        ).fetchall()
        [(messages,)] = admin.execute("select count(*) from public.messages where sender_type = 'system'").fetchall()
    alone = _one_by_one(ground, other)
    shown = table("by", "runs / s", "ms a run")
    shown.add_row("the worker", f"{BACKLOG / seconds:,.0f}", f"{seconds / BACKLOG * 1e3:.2f}")
    shown.add_row("the same actions, one by one", f"{1 / alone:,.0f}", f"{alone * 1e3:.2f}")
    ground.show(f"{BACKLOG:,} due automations, one client each", shown)
    early = next(mib for runs, mib in samples if runs >= BACKLOG / 10)
    memory = table("runs done", "MiB", text=0)
    for share in range(1, 11, 3):
        runs, mib = next(sample for sample in samples if sample[0] >= BACKLOG * share / 10)
        memory.add_row(f"{runs:,}", f"{mib:.0f}")
    ground.show("Memory of the worker and its connections, without what they share", memory)
    failures = []
    if (done, ok, messages) != (BACKLOG, BACKLOG, BACKLOG):
        failures.append(f"{BACKLOG:,} were due: {done:,} runs, {ok:,} ok, {messages:,} messages.")
    if samples[-1][1] > early * MEMORY_LIMIT:
        failures.append(
            f"Memory grew from {early:.0f} to {samples[-1][1]:.0f} MiB: at most {MEMORY_LIMIT} times is promised."
        )
    return failures


async def _drained(url: str, admin: Connection) -> list[tuple[int, float]]:
    """How much was done, and in how much memory, every so often until all is."""
    samples: list[tuple[int, float]] = []

    def sample() -> None:
        [(runs,)] = admin.execute("select count(*) from public.automation_runs").fetchall()
        pids = admin.execute("select pid from pg_stat_activity where application_name = 'bench worker'").fetchall()
        samples.append((runs, sum(_private_mib(pid) for pid in [os.getpid(), *(pid for (pid,) in pids)])))

    async with create_pool(Secret(url), "bench worker", max_size=1) as pool:
        working = asyncio.create_task(fire_due(Database(pool), None))
        while not working.done():
            sample()
            await asyncio.wait({working}, timeout=0.5)
        await working
        sample()
    return samples


def _private_mib(pid: int) -> float:
    """Memory that a process has for itself. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html"""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    kib = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(kib) / 1024


def _one_by_one(ground: Ground, name: str) -> float:
    """Seconds a client, when each is looked at and written to by itself, in a transaction of its own."""
    with ground.connect(name) as db:
        clients = db.execute(
            "select c.org_id, c.id from public.clients as c where c.status = 'active' order by c.id limit %s",
            [ONE_BY_ONE],
        ).fetchall()
        [(automation_id,)] = db.execute("select id from public.automations limit 1").fetchall()
        db.execute("set session_replication_role = origin")
        began = time.perf_counter()
        for org_id, client_id in clients:
            db.execute("begin")
            db.execute("select full_name from public.clients where id = %s", [client_id])
            db.execute(
                "select tier, score from public.client_risk where client_id = %s and as_of_date = current_date",
                [client_id],
            )
            db.execute("select status from public.subscriptions where client_id = %s", [client_id])
            db.execute(
                "select created_at from public.activity_events where client_id = %s order by created_at desc limit 1",
                [client_id],
            )
            db.execute(
                "select count(*) from public.automation_runs"
                " where automation_id = %s and client_id = %s and status = 'ok'"
                " and fired_at >= now() - interval '1 day'",
                [automation_id, client_id],
            )
            [(thread_id,)] = db.execute(
                "insert into public.message_threads (org_id, client_id) values (%s, %s)"
                " on conflict (org_id, client_id) do update set org_id = excluded.org_id returning id",
                [org_id, client_id],
            ).fetchall()
            db.execute(
                "insert into public.messages (org_id, thread_id, sender_type, body)"
                " values (%s, %s, 'system', 'Hi Client, how are you?')",
                [org_id, thread_id],
            )
            db.execute(
                "insert into public.automation_runs (org_id, automation_id, client_id, status)"
                " select org_id, id, %s, 'ok' from public.automations where org_id = %s limit 1",
                [client_id, org_id],
            )
            db.execute("commit")
        return (time.perf_counter() - began) / len(clients)
