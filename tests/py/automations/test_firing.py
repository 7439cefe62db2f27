"""CRON-01 and CRON-02 with real connections and real processes: due means due, once, whoever asks and whoever dies."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from automating import MESSAGE, PUSH, Pushes, automation, device, event, schedule

from devstack.layout import ROOT
from sidecar import jobs
from sidecar.automations.firing import Fired, fire_due, score_risk
from sidecar.automations.push import PushOutcome
from sidecar.database import Database
from sidecar.settings import Secret

if TYPE_CHECKING:
    from conftest import Logs, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    from sidecar.clients.push import Expo
    from sidecar.money.fees import StripeReader
    from sidecar.sms.sender import TwilioSender

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RUNS = "select status, reason, failed_action, attempts, next_attempt_at from public.automation_runs order by id"


@pytest.fixture
def worker(worker_pool: Pool) -> Database:
    """The database, with the worker's rights."""
    return Database(worker_pool)


def statuses(world: World) -> list[str]:
    return [run["status"] for run in world.rows("select status from public.automation_runs order by due_at, status")]


def messages(world: World) -> int:
    return int(world.value("select count(*) from public.messages where sender_type = 'system'"))


# -- the worker's part ------------------------------------------------------------------------------------------------


async def test_what_is_due_is_done_and_what_was_done_is_logged_without_a_name(
    world: World, worker: Database, logs: Logs
) -> None:
    org = world.org()
    automation(world, org, due_at=datetime.now(UTC) - MINUTE)
    automation(world, org)  # just saved

    assert await fire_due(worker, None) == Fired(slots=1)
    assert await fire_due(worker, None) == Fired()

    assert (statuses(world), messages(world)) == (["ok"], 1)
    [line] = [line for line in logs.lines() if line["event"] == "automations_fired"]
    assert (line["count"], line["retried"], line["pushed"]) == (1, 0, 0)
    assert "Jordan" not in logs.text


@pytest.mark.parametrize(
    ("answer", "status", "reason", "again"),
    [
        (PushOutcome("sent"), "ok", None, False),
        (PushOutcome("failed", "the app was removed"), "failed", "Push notification: the app was removed.", False),
        (PushOutcome("retry", "the service is busy"), "failed", "Push notification: the service is busy.", True),
        (PushOutcome("unknown"), "failed", "Push notification: it is not known whether it was sent.", False),
        (OSError("secret"), "failed", "Push notification: it is not known whether it was sent.", False),
    ],
)  # fmt: skip
async def test_a_push_is_what_the_provider_says(
    world: World, worker: Database, logs: Logs, answer: PushOutcome | Exception, status: str, reason: str | None,
    again: bool,
) -> None:  # fmt: skip
    org = world.org()
    tokens = sorted([device(world, org), device(world, org)])
    automation(world, org, [PUSH, MESSAGE], due_at=datetime.now(UTC) - MINUTE)
    provider = Pushes(answer)

    fired = await fire_due(worker, provider)

    assert fired == Fired(slots=1, pushed=1)
    [(sent_to, title, body)] = provider.sent
    assert (sorted(sent_to), title, body) == (tokens, "Hi Jordan", "0 days")
    run = world.one(RUNS)
    assert (run["status"], run["reason"], run["next_attempt_at"] is not None) == (status, reason, again)
    assert messages(world) == (1 if status == "ok" else 0)
    assert "secret" not in logs.text
    assert "ExponentPushToken" not in logs.text


async def test_without_a_provider_a_push_fails_and_says_so(world: World, worker: Database) -> None:
    org = world.org()
    device(world, org)
    automation(world, org, [PUSH], due_at=datetime.now(UTC) - MINUTE)

    await fire_due(worker, None)

    run = world.one(RUNS)
    assert (run["status"], run["failed_action"]) == ("failed", "send_push")
    assert run["reason"] == "Push notification: push notifications are not set up."
    assert run["next_attempt_at"] is None


async def test_two_pushes_in_a_run_are_sent_in_turn(world: World, worker: Database) -> None:
    org = world.org()
    device(world, org)
    second = {"type": "send_push", "params": {"body": "Second"}}
    automation(world, org, [PUSH, second], due_at=datetime.now(UTC) - MINUTE)
    provider = Pushes(PushOutcome("sent"))

    await fire_due(worker, provider)

    assert [body for _, _, body in provider.sent] == ["0 days", "Second"]
    assert statuses(world) == ["ok"]


async def test_the_workers_tasks_fire_and_score(world: World, worker: Database) -> None:
    """The tasks as the worker has them, which the minute starts."""
    org = world.org()
    automation(world, org, due_at=datetime.now(UTC) - MINUTE)
    app = jobs.create_jobs(
        Secret(world.url("coach_os_worker")),
        worker,
        cast("TwilioSender", None),
        cast("StripeReader", None),
        cast("Expo", None),
    )
    fire, score = app.tasks["automations.fire"], app.tasks["automations.score_risk"]

    await asyncio.gather(*(task.func(timestamp=0) for task in (fire, fire, score, score)))

    assert statuses(world) == ["ok"]
    assert world.value("select count(*) from public.client_risk") == 1
    assert {
        periodic.cron for periodic in app.periodic_registry.periodic_tasks.values() if periodic.task in (fire, score)
    } == {"* * * * *"}


async def test_everybody_is_scored_once_a_day_however_many_orgs(world: World, worker: Database) -> None:
    world.db.execute("insert into public.orgs (name) select 'Org ' || n from generate_series(1, 101) as n")
    world.db.execute("insert into public.clients (org_id, full_name) select id, 'Client' from public.orgs")

    scored = await asyncio.gather(*(score_risk(worker) for _ in range(3)))

    assert sum(scored) == 101
    assert await score_risk(worker) == 0
    assert world.value("select count(*) from public.client_risk") == 101


async def test_a_stopped_week_then_start_is_one_run_for_each_automation(world: World, worker: Database) -> None:
    org = world.org()
    for number in range(40):
        automation(
            world, org, [{"type": "send_sms", "params": {"body": "Hi"}}],
            schedule(f"{number} * * * *") if number % 2 else schedule("daily"),
            due_at=datetime.now(UTC) - 7 * DAY + number * MINUTE,
        )  # fmt: skip

    assert (await fire_due(worker, None)).slots == 40

    assert statuses(world) == ["ok"] * 40
    assert world.value("select count(*) from public.sms_messages") == 40
    assert world.value("select count(*) from public.automations where next_due_at > now()") == 40
    assert await fire_due(worker, None) == Fired()


# -- at the same time -------------------------------------------------------------------------------------------------


async def test_of_two_who_claim_at_once_one_has_it(world: World) -> None:
    automation(world, world.org(), due_at=datetime.now(UTC) - MINUTE)
    async with world.connected(2) as (one, two):
        await one.execute("begin")
        assert await world.ask(one, "select app.claim_due_automations()") == 1
        assert await world.ask(two, "select app.claim_due_automations()") == 0
        await one.execute("rollback")  # died
        assert await world.ask(two, "select app.claim_due_automations()") == 1
        await two.execute("begin")
        assert await world.ask(two, "select app.run_due_slots()") == 1
        assert await world.ask(one, "select app.run_due_slots()") == 0
        await two.execute("rollback")
        assert await world.ask(one, "select app.run_due_slots()") == 1
    assert (statuses(world), messages(world)) == (["ok"], 1)


async def test_guardrails_count_right_when_two_runs_want_the_only_place(world: World) -> None:
    """Two events of one client at once, two workers, one a day: one fires, the other says why not."""
    org = world.org()
    automation(world, org, trigger=event("payment_failed"), guardrails={"max_per_client_per_day": 1})
    for status in ("past_due", "active", "past_due"):
        world.db.execute(
            "insert into public.subscriptions (org_id, client_id, status) values (%s, %s, %s)"
            " on conflict (org_id, client_id) do update set status = excluded.status",
            [org.id, org.client_id, status],
        )
    assert world.value("select count(*) from app.automation_slots") == 2
    async with world.connected(2) as (one, two):
        await one.execute("begin")
        assert await world.ask(one, "select app.run_due_slots(p_limit => 1)") == 1
        assert await world.ask(two, "select app.run_due_slots(p_limit => 1)") == 0  # the automation is held
        await one.execute("commit")
        assert await world.ask(two, "select app.run_due_slots(p_limit => 1)") == 1
    runs = world.rows("select status, reason from public.automation_runs order by status")
    assert [tuple(run.values()) for run in runs] == [("ok", None), ("skipped", "Daily limit reached")]
    assert messages(world) == 1


async def test_workers_share_what_is_due_without_missing_or_repeating_one(world: World) -> None:
    org = world.org()
    clients = [world.client(org, f"+6149157{n}") for n in range(9000, 9009)]
    ids = [
        automation(world, org, guardrails={"max_per_client_per_day": 5}, due_at=datetime.now(UTC) - MINUTE)
        for _ in range(15)
    ]

    async def work(connection: Any) -> None:  # noqa: ANN401 - one of the world's
        while (
            await world.ask(connection, "select app.claim_due_automations(p_limit => 3)")
            + await world.ask(connection, "select app.run_due_slots(p_limit => 7)")
            + await world.ask(connection, "select app.retry_due_runs(now() + interval '1 day')")
        ):
            pass

    async with world.connected(8) as workers:
        await asyncio.gather(*(work(worker) for worker in workers))
        await work(workers[0])

    assert statuses(world) == ["ok"] * len(ids) * (len(clients) + 1)
    assert messages(world) == len(ids) * (len(clients) + 1)
    assert world.value("select count(*) from app.automation_slots") == 0


async def test_a_zone_that_changes_while_an_automation_is_saved_is_the_one_it_is_due_by(world: World) -> None:
    org = world.org("Australia/Brisbane")
    async with await world.connect() as owner, world.connected(1, org.owner_id) as (coach,):
        await owner.execute("begin")
        await owner.execute("update public.orgs set timezone = 'Europe/London' where id = %s", [org.id])
        saving = asyncio.create_task(
            coach.execute(
                "insert into public.automations (org_id, name, trigger) values (%s, 'x', %s)",
                [org.id, json.dumps(schedule("daily"))],
            )
        )
        await world.until_blocked(coach)
        await owner.execute("commit")
        await saving
    assert world.value(
        "select next_due_at = app.next_due('daily', 'Europe/London', created_at) from public.automations"
    )


async def test_a_zone_that_changes_while_an_automation_is_switched_on_is_the_one_it_is_due_by(world: World) -> None:
    org = world.org("Australia/Brisbane")
    automation_id = automation(world, org)
    world.db.execute("update public.automations set enabled = false")
    switch_on = "update public.automations set enabled = true where id = %s"
    change = "update public.orgs set timezone = %s where id = %s"
    async with await world.connect() as owner, world.connected(1, org.owner_id) as (coach,):
        await coach.execute("begin")
        await coach.execute(switch_on, [automation_id])
        changing = asyncio.create_task(owner.execute(change, ["Europe/London", org.id]))
        await world.until_blocked(owner)
        await coach.execute("commit")
        await changing
    due = "select next_due_at = app.next_due('daily', %s, now()) from public.automations"
    assert world.value(due, "Europe/London")
    world.db.execute("update public.automations set enabled = false")
    async with await world.connect() as owner, world.connected(1, org.owner_id) as (coach,):
        await owner.execute("begin")
        await owner.execute(change, ["America/New_York", org.id])
        switching = asyncio.create_task(coach.execute(switch_on, [automation_id]))
        await world.until_blocked(coach)
        await owner.execute("commit")
        await switching
    assert world.value(due, "America/New_York")


async def test_an_org_whose_zone_is_changing_is_left_for_the_next_tick_and_nobody_deadlocks(world: World) -> None:
    org, other = world.org(), world.org()
    for each in (org, other):
        automation(world, each, due_at=datetime.now(UTC) - MINUTE)
    async with await world.connect() as owner, world.connected(1) as (worker,):
        assert await world.ask(worker, "select app.claim_due_automations()") == 2
        await owner.execute("begin")
        await owner.execute("update public.orgs set timezone = 'Europe/London' where id = %s", [org.id])
        assert await world.ask(worker, "select app.run_due_slots()") == 1
        await owner.execute("commit")
        assert await world.ask(worker, "select app.run_due_slots()") == 1
    assert statuses(world) == ["ok", "ok"]


async def test_a_client_whom_somebody_else_is_changing_fails_the_run_and_not_the_tick(world: World) -> None:
    """What is held for long fails one action, to be tried again; it does not hold up everybody's automations."""
    org = world.org()
    second = world.client(org, "+61491579999")
    automation(
        world, org, [{"type": "tag_client", "params": {"tag": "x"}}], due_at=datetime.now(UTC) - MINUTE
    )  # fmt: skip
    async with await world.connect() as somebody, world.connected(1) as (worker,):
        await somebody.execute("begin")
        await somebody.execute("update public.clients set notes = 'x' where id = %s", [second])
        await worker.execute("select app.claim_due_automations()")
        assert await world.ask(worker, "select app.run_due_slots()") == 1
        await somebody.execute("commit")
        run = world.one("select status, reason, attempts from public.automation_runs where client_id = %s", second)
        assert tuple(run.values()) == ("failed", "Tag: something went wrong on our side (55P03).", 1)
        assert await world.ask(worker, "select app.retry_due_runs(now() + interval '2 minutes')") == 1
    assert statuses(world) == ["ok", "ok"]


# -- whoever dies, whatever the clock does ----------------------------------------------------------------------------

FLEET = """
import asyncio, json, mmap, os, random, select, signal, struct, sys
from datetime import UTC, datetime, timedelta
from sidecar.database import Database, create_pool
from sidecar.settings import Secret

orders = open(0, "rb", buffering=0)
url, seed = json.loads(orders.readline())
shared = mmap.mmap(-1, 8)  # between all children: the latest time that a clock has shown
randomly = random.Random(seed)

async def live(kind, randomly):
    def now():  # stepped at every look: right, or set back by up to two days
        latest = datetime.fromtimestamp(struct.unpack("d", shared[:])[0], UTC)
        return latest - randomly.choice([0, 0, 0, 1, 5, 26, 48]) * timedelta(hours=1)
    async with create_pool(Secret(url), "fleet", max_size=1) as pool:
        database = Database(pool)
        while True:
            if kind == "scheduler":
                await database.value("claim_due_automations", p_now=now(), p_limit=3)
            else:
                await database.value("run_due_slots", p_now=now(), p_limit=4)
                await database.value("retry_due_runs", p_now=now(), p_limit=4)

def start(kind):
    own = random.Random(randomly.random())
    child = os.fork()
    if not child:
        asyncio.run(live(kind, own))
    return child

shared[:] = struct.pack("d", float(orders.readline()))
children = {start(kind): kind for kind in ["scheduler"] * 2 + ["worker"] * 10}
killed = 0
while True:
    if select.select([orders], [], [], randomly.uniform(0.01, 0.1))[0]:
        order = orders.readline().strip()
        if order == b"stop":
            break
        shared[:] = struct.pack("d", float(order))
    child = randomly.choice(list(children))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    killed += 1
    kind = children.pop(child)
    children[start(kind)] = kind
for child in children:
    os.kill(child, signal.SIGKILL)
print(killed)
"""
"""Two schedulers and ten workers, one of which is killed every few hundredths of a second and takes its place again;
each looks at a clock of its own, which is right or set back."""
HOURS = int(os.environ.get("SOAK_HOURS", "3"))


def test_two_schedulers_ten_workers_kill_9_and_a_stepped_clock_fire_each_slot_once(world: World) -> None:
    """Exactly once: not twice, and none is lost. `SOAK_HOURS` and `SOAK_SEED` make it longer, and play one again."""
    seed = int(os.environ.get("SOAK_SEED") or time.time_ns() % 10**6)
    org = world.org("UTC")
    clients = [org.client_id, *(world.client(org, f"+6149157{n}") for n in (9001, 9002))]
    midnight = datetime(2030, 1, 1, tzinfo=UTC)
    ids = [
        automation(world, org, trigger=schedule(f"0 1-{HOURS} 1 1 *"), due_at=midnight + HOUR) for _ in range(6)
    ]  # fmt: skip
    open_work = """
        select (select count(*) from public.automations where next_due_at <= %(at)s)
             + (select count(*) from app.automation_slots)
             + (select count(*) from public.automation_runs where next_attempt_at <= %(at)s)
    """
    fleet = subprocess.Popen(
        [sys.executable, "-c", FLEET], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert fleet.stdin is not None
    try:
        fleet.stdin.write(json.dumps([world.url("coach_os_worker"), seed]) + "\n")
        for hour in range(HOURS + 2):  # the last ones are for what is tried again
            at = midnight + hour * HOUR
            fleet.stdin.write(f"{at.timestamp()}\n")
            fleet.stdin.flush()
            end = time.monotonic() + 60
            while world.db.execute(open_work, {"at": at}).fetchall()[0]["?column?"]:
                assert time.monotonic() < end, f"seed {seed}: not done in a minute"
                time.sleep(0.02)
        killed, _ = fleet.communicate("stop\n", timeout=30)
    finally:
        fleet.kill()

    runs = world.rows("select automation_id, due_at, client_id, status from public.automation_runs")
    expected = {(a, midnight + n * HOUR, c, "ok") for a in ids for n in range(1, HOURS + 1) for c in clients}
    assert {tuple(run.values()) for run in runs} == expected, f"seed {seed}"
    assert len(runs) == len(expected), f"seed {seed}"
    assert messages(world) == len(expected), f"seed {seed}"
    assert int(killed) > HOURS, f"seed {seed}: too few were killed to prove anything"
