"""Whoever is killed, between any two statements or inside one: the counts are exact and no completion is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import psycopg
import pytest

from devstack.postgres import ADMIN
from sidecar import jobs
from sidecar.settings import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import Coach, Org, Processes, World

    from sidecar.clients.push import Expo
    from sidecar.database import Database
    from sidecar.money.fees import StripeReader
    from sidecar.sms.sender import TwilioSender

WORKER = "coach_os_worker"
PATIENCE_S = 20
# A tick may only just have passed when the worker starts.
WITHIN_S = 75

CLIENT = """
import json, sys, psycopg
url, statements = json.loads(sys.stdin.readline())
db = psycopg.connect(url, autocommit=True)
print(db.info.backend_pid, flush=True)
for statement in statements:
    db.execute(statement)
print("done", flush=True)
sys.stdin.readline()
"""
"""Runs statements, one after another, and then holds its connection until it is killed."""


def until(happened: Callable[[], object]) -> None:
    """Return once it has. Looks again and again: a process that dies, or waits for a lock, gives no event."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@dataclass
class Client:
    """Another process with a connection, and how it dies."""

    world: World
    process: subprocess.Popen[str]
    backend: int

    def finished(self) -> None:
        """Wait until it has run everything."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def blocked(self) -> None:
        """Wait until Postgres says that it waits for somebody."""
        until(lambda: self.world.value("select cardinality(pg_blocking_pids(%s)) > 0", self.backend))

    def die(self, how: str) -> None:
        """`kill`: the process, without a word to the server. `terminate`: its connection, by the server."""
        if how == "kill":
            self.process.kill()
            self.process.wait()
        else:
            self.world.value("select pg_terminate_backend(%s)", self.backend)

    def gone(self) -> None:
        """Wait until nothing of it is left on the server."""
        until(lambda: not self.world.rows("select from pg_stat_activity where pid = %s", self.backend))


@contextmanager
def client(world: World, statements: list[str], role: str = ADMIN) -> Iterator[Client]:
    """A process that has begun to run these statements."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([world.url(role), statements]) + "\n")
        process.stdin.flush()
        try:
            yield Client(world, process, int(process.stdout.readline()))
        finally:
            process.kill()


@dataclass(frozen=True)
class Case:
    """A pack and a past booking on it, and what a calendar and a worker do with them."""

    world: World
    org: Org
    pack_id: UUID
    booking_id: UUID

    def request(self, statement: str) -> list[str]:
        """A request of the coach's, as PostgREST runs it."""
        claims = json.dumps({"sub": str(self.org.owner_id), "role": "authenticated"})
        sign_in = (
            f"select set_config('request.jwt.claims', '{claims}', true), set_config('role', 'authenticated', true)"
        )
        return ["begin", sign_in, statement, "commit"]

    @property
    def completion(self) -> list[str]:
        return self.request(f"update public.bookings set status = 'completed' where id = '{self.booking_id}'")

    @property
    def use(self) -> list[str]:
        return self.request(f"select public.use_session('{self.pack_id}')")

    @property
    def batch(self) -> list[str]:
        return ["begin", "select app.complete_past_bookings(now())", "commit"]

    def run(self, statements: list[str], role: str = ADMIN) -> None:
        """The same by somebody who lives."""
        with psycopg.connect(self.world.url(role), autocommit=True) as db:
            for statement in statements:
                db.execute(statement.encode())

    def found(self) -> tuple[str, int]:
        """The booking's status, and how many sessions the pack has used: by the counter and by the ledger."""
        found = self.world.one(
            "select b.status, p.sessions_used as used,"
            " (select sum(l.delta) from public.session_ledger as l where l.purchase_id = p.id) as entries"
            " from public.client_purchases as p, public.bookings as b where p.id = %s and b.id = %s",
            self.pack_id, self.booking_id,
        )  # fmt: skip
        assert found["used"] == (found["entries"] or 0)
        return found["status"], found["used"]

    def recover(self) -> None:
        """What happens anyway afterwards: a calendar is opened again, a worker runs, a minute passes, and then the
        coach uses one by hand."""
        self.run(self.completion + self.use)
        self.run(self.batch, WORKER)
        assert self.found() == ("completed", 1)
        self.world.db.execute("update app.completion_credits set created_at = created_at - interval '1 minute'")
        self.run(self.use)
        assert self.found() == ("completed", 2)


@pytest.fixture
def org(world: World) -> Org:
    org = world.org()
    world.db.execute("update public.sms_settings set enabled = false")
    return org


def case(world: World, org: Org) -> Case:
    pack_id = world.pack(org, 3)
    booking_id: UUID = world.value(
        "insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)"
        " values (%s, %s, %s, now() - interval '3 hours', now() - interval '2 hours') returning id",
        org.id, org.client_id, pack_id,
    )  # fmt: skip
    return Case(world, org, pack_id, booking_id)


HOW = pytest.mark.parametrize("how", ["kill", "terminate"])


# -- between two statements -------------------------------------------------------------------------------------------


@HOW
def test_a_calendar_that_dies_completing(world: World, org: Org, how: str) -> None:
    """Its update and its call of use_session(), two requests: dead after each statement of both."""
    for survived in range(1, 9):
        this = case(world, org)
        with client(world, (this.completion + this.use)[:survived]) as calendar:
            calendar.finished()
            calendar.die(how)
            calendar.gone()
        assert this.found() == (("completed", 1) if survived >= 4 else ("confirmed", 0)), survived
        this.recover()


@HOW
def test_a_coach_whose_browser_dies_using_a_session_by_hand(world: World, org: Org, how: str) -> None:
    for survived in range(1, 5):
        this = case(world, org)
        with client(world, this.use[:survived]) as browser:
            browser.finished()
            browser.die(how)
            browser.gone()
        assert this.found() == ("confirmed", int(survived == 4)), survived


@HOW
def test_a_worker_that_dies_with_its_batch_open(world: World, org: Org, how: str) -> None:
    for survived in range(1, 4):
        this = case(world, org)
        with client(world, this.batch[:survived], WORKER) as worker:
            worker.finished()
            worker.die(how)
            worker.gone()
        assert this.found() == (("completed", 1) if survived == 3 else ("confirmed", 0)), survived
        this.recover()


# -- inside one -------------------------------------------------------------------------------------------------------

INSIDE = ["public.bookings", "public.client_purchases", "public.session_ledger"]


@HOW
@pytest.mark.parametrize("by", ["calendar", "worker", "hand"])
def test_who_dies_in_the_middle_of_a_statement(world: World, org: Org, how: str, by: str) -> None:
    """Held up at each table it writes, and killed there.

    A statement whose client is gone goes on to its end: what it did holds if it was its own transaction, as the
    worker's is, and is rolled back with the transaction if it was not, as a request's. Never half of it.
    """
    for table in INSIDE if by != "hand" else INSIDE[1:]:
        this = case(world, org)
        statements, role = {
            "calendar": (this.completion[:3], ADMIN),
            "hand": (this.use[:3], ADMIN),
            "worker": (this.batch[1:2], WORKER),
        }[by]
        with psycopg.connect(world.url(ADMIN)) as holder:
            holder.execute(f"lock table {table} in exclusive mode".encode())
            with client(world, statements, role) as victim:
                victim.blocked()
                victim.die(how)
                holder.rollback()
                victim.gone()
        went_on = by == "worker" and how == "kill"
        assert this.found() == (("completed", 1) if went_on else ("confirmed", 0)), table
        this.recover()


def test_a_pack_that_hangs_holds_up_nobody_else(world: World, org: Org) -> None:
    """A transaction that never ends keeps its own pack and booking from the worker, and nothing else."""
    hanging, booked, free = (case(world, org) for _ in range(3))
    with client(world, hanging.use[:3]) as one, client(world, booked.completion[:3]) as other:
        one.finished()
        other.finished()

        free.run(free.batch, WORKER)

        assert free.found() == ("completed", 1)
        assert hanging.found() == booked.found() == ("confirmed", 0)
        for browser in (one, other):
            browser.die("kill")
            browser.gone()

    free.run(free.batch, WORKER)
    assert hanging.found() == booked.found() == ("completed", 1)


# -- the worker itself ------------------------------------------------------------------------------------------------


def backlog(world: World, org: Org, count: int, per_pack: int = 10) -> None:
    """So many bookings that ended during the last three days, evenly, the last one a minute ago, on packs that are used
    up by them. Of four packs, one is unpaid."""
    with world.db.transaction():
        # A coach made them one by one; 100,000 of them made so would take longer than what is tested.
        world.db.execute("set local session_replication_role = replica")
        world.db.execute(
            "insert into public.client_purchases"
            " (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total, payment_status)"
            " select md5(n::text)::uuid, %s, %s, %s, 90000, %s,"
            " case when n %% 4 = 0 then 'pending' else 'succeeded' end"
            " from generate_series(0, %s) as n",
            [org.id, org.client_id, org.offer_id, per_pack, (count - 1) // per_pack],
        )
        world.db.execute(
            "insert into public.bookings (org_id, client_id, purchase_id, start_time, end_time)"
            " select %s, %s, md5((n %% %s)::text)::uuid, e - interval '1 hour', e"
            " from generate_series(0, %s) as n,"
            " lateral (select now() - interval '1 minute' - n * interval '3 days' / %s) as x (e)",
            [org.id, org.client_id, -(-count // per_pack), count - 1, count],
        )
    world.db.execute("analyze public.bookings, public.client_purchases")


def assert_all_completed_once(world: World, count: int) -> None:
    """Each booking completed, each on a paid pack with one entry, each other one told; oldest first, 500 at a time."""
    found = world.rows(
        "select b.status, p.payment_status, b.uncovered_reason, count(l.id) as entries,"
        " count(distinct b.id) as bookings"
        " from public.bookings as b join public.client_purchases as p on p.id = b.purchase_id"
        " left join public.session_ledger as l on l.booking_id = b.id group by 1, 2, 3"
    )
    assert {(f["status"], f["payment_status"], f["uncovered_reason"], f["entries"] / f["bookings"]) for f in found} == {
        ("completed", "succeeded", None, 1),
        ("completed", "pending", "pack_unpaid", 0),
    }
    assert sum(f["bookings"] for f in found) == count
    assert world.rows("select * from app.session_discrepancies()") == []
    assert world.rows("select from public.client_purchases where sessions_used <> sessions_total"
                      " and payment_status = 'succeeded'") == []  # fmt: skip
    # The row says when its batch began.
    batches = world.rows(
        "select count(*) as size, min(end_time) as first, max(end_time) as last from public.bookings"
        " group by updated_at order by updated_at"
    )
    assert all(batch["size"] <= 500 for batch in batches)
    assert all(one["last"] < other["first"] for one, other in itertools.pairwise(batches))


def completed(world: World) -> int:
    return int(world.value("select count(*) from public.bookings where status = 'completed'"))


async def until_true(happened: Callable[[], object], within_s: float = WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not happened():  # noqa: ASYNC110 - another process tells nobody of its own accord
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(world: World, processes: Processes, process_env: dict[str, str]) -> AsyncIterator[Coach]:
    async with processes.start("worker", env=process_env | {"DATABASE_URL": world.url(WORKER)}) as worker:
        yield worker


async def test_a_tick_within_a_long_backlog_leaves_it_to_the_run_under_way() -> None:
    begun, held = asyncio.Event(), asyncio.Event()
    batches: list[int] = []

    class Slow:
        async def value(self, function: str, **arguments: object) -> int:
            assert function == "complete_past_bookings", arguments
            batches.append(0 if batches else 500)
            begun.set()
            await held.wait()
            return batches[-1]

    app = jobs.create_jobs(
        Secret("postgresql://nowhere"),
        cast("Database", Slow()),
        cast("TwilioSender", None),
        cast("StripeReader", None),
        cast("Expo", None),
    )
    complete_past = app.tasks["bookings.complete_past"]
    under_way = asyncio.create_task(complete_past(timestamp=0))
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        await complete_past(timestamp=60)
        assert batches == [500]
        held.set()
        await under_way
    assert batches == [500, 0]


async def test_a_worker_killed_in_a_backlog_of_three_days_and_started_again(
    world: World, org: Org, processes: Processes, process_env: dict[str, str]
) -> None:
    """Killed within a batch. Its job stays `doing` for ever; the next tick's does not wait for it."""
    count = 2000
    backlog(world, org, count)
    blocked = (
        "select from pg_stat_activity"
        " where application_name = 'coach-os worker' and cardinality(pg_blocking_pids(pid)) > 0"
    )
    with psycopg.connect(world.url(ADMIN)) as holder:
        async with running(world, processes, process_env) as worker:
            await until_true(lambda: completed(world))
            # Waits for the batch under way, and stops the next one in its middle.
            holder.execute("lock table public.session_ledger in share row exclusive mode")
            await until_true(lambda: world.rows(blocked))
            worker.process.kill()
            await worker.ended()
        assert 0 < completed(world) < count
    until(lambda: not world.rows("select from pg_stat_activity where application_name = 'coach-os worker'"))
    assert world.value(
        "select count(*) from procrastinate.procrastinate_jobs"
        " where task_name = 'bookings.complete_past' and status = 'doing'"
    )

    # As if the next minute had begun: this one's tick has been given out, and died with the worker.
    world.db.execute("delete from procrastinate.procrastinate_periodic_defers")
    async with running(world, processes, process_env) as worker:
        await until_true(lambda: completed(world) == count)
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended() == 0, worker.text

    assert_all_completed_once(world, count)


def memory_kb(pid: int) -> int:
    """A process' own memory, without what it shares."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_a_backlog_takes_no_more_memory_than_a_batch(
    world: World, org: Org, processes: Processes, process_env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the worker, and in the largest of its database connections. `./just soak` does it with 100,000 bookings."""
    count = int(os.environ.get("SOAK_BACKLOG", "3000"))
    backlog(world, org, count)
    samples: list[tuple[int, int]] = []

    def sample() -> bool:
        done = completed(world)
        backends = world.rows("select pid from pg_stat_activity where application_name = 'coach-os worker'")
        if 1000 <= done < count:
            samples.append((memory_kb(worker.process.pid), max(memory_kb(backend["pid"]) for backend in backends)))
        return done == count

    async with running(world, processes, process_env) as worker:
        await until_true(lambda: completed(world) > 0)
        began = time.monotonic()
        await until_true(sample, within_s=WITHIN_S + count / 200)
        took_s = time.monotonic() - began

    with capsys.disabled():
        growth = [max(s[n] for s in samples) - samples[0][n] for n in range(2)]
        print(  # noqa: T201 - a measurement
            f"\nbacklog of {count}: {took_s:.1f} s, {took_s / count * 1000:.2f} ms each; memory grew by"
            f" {growth[0]} kB in the worker, {growth[1]} kB in its connection",
            file=sys.stderr,
        )
    assert_all_completed_once(world, count)
    assert max(growth) < 8 * 1024
