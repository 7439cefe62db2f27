"""The dry run says what really happens: a week in which clocks change, simulated and then lived through."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from automating import MESSAGE, PUSH, Pushes, automation, device, event, schedule
from click.testing import CliRunner

from sidecar.automations.firing import fire_due, simulated
from sidecar.automations.push import PushOutcome
from sidecar.cli import main
from sidecar.database import Database

if TYPE_CHECKING:
    from uuid import UUID

    from conftest import Org, World
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

STEP, DAY = timedelta(minutes=30), timedelta(days=1)
TAG = {"type": "tag_client", "params": {"tag": "was idle"}}
NOTE = {"type": "notify_trainer", "params": {"body": "Call {{name}}"}}
TEXT = {"type": "send_sms", "params": {"body": "Hi {{first_name}}"}}


SOON = """
    select least(min(next_due_at), (select min(run_at) from app.automation_slots),
                 (select min(next_attempt_at) from public.automation_runs),
                 ((%(now)s at time zone 'UTC')::date + 1)::timestamp at time zone 'UTC') as due
      from public.automations
"""


def furnish(world: World, org: Org, start: datetime) -> list[UUID]:
    """Clients of all kinds, automations of every kind, guardrails that hold some back. Returns the clients."""
    clients = [org.client_id, *(world.client(org, f"+6149157{n}") for n in range(9001, 9005))]
    world.db.execute("update public.clients set created_at = %s", [start - 60 * DAY])
    # Last seen 0, 1, … days before; one of them never.
    for number, client_id in enumerate(clients[:-1]):
        world.db.execute(
            "insert into public.activity_events (org_id, client_id, type, payload, created_at)"
            " select %s, %s, 'checkin', '{}', %s::timestamptz - make_interval(days => n)"
            "   from generate_series(%s, 20, 3) as n",
            [org.id, client_id, start - timedelta(hours=5), number * 2],
        )  # fmt: skip
    world.db.execute("update public.clients set phone = null where id = %s", [clients[1]])
    for client_id in clients[:3]:
        device(world, org, client_id)
    world.db.execute("update app.risk_days set scored_on = %s", [(start - DAY).date()])
    quiet = {"quiet_hours_start": 21, "quiet_hours_end": 8}
    idle = [{"field": "days_since_activity", "operator": "gte", "value": 3}]
    automation(world, org, trigger=schedule("30 2 * * *"), name="In the gap or the fold")
    automation(world, org, [TAG], schedule("*/30 2 * * *"), name="In real time")
    automation(world, org, [NOTE, MESSAGE], schedule("daily"), guardrails={"dedupe_hours": 30}, name="Every other day")
    automation(world, org, [MESSAGE], schedule("0 21 * * *"), guardrails=quiet, name="At night")
    automation(world, org, [TEXT], schedule("weekly"), name="Weekly, by text")
    automation(world, org, [PUSH, TAG], schedule("0 */5 * * *"), guardrails={"max_per_client_per_day": 2}, name="Push")
    automation(world, org, [TAG], schedule("0 12 * * *"), guardrails={"max_per_client_per_week": 3}, name="Week")
    automation(world, org, [TAG], event("inactivity"), conditions=idle, guardrails=quiet, name="Idle")
    automation(world, org, [MESSAGE], event("risk_red"), guardrails=quiet, name="Red")
    tagged = [{"field": "tags", "operator": "contains", "value": "was idle"}]
    automation(world, org, [MESSAGE], schedule("15 12 * * *"), conditions=tagged, name="For who was tagged")
    return clients


def as_rows(found: list[Any], at: str) -> list[tuple[Any, ...]]:
    names = ("due_at", at, "automation_id", "client_id", "status", "reason")
    return sorted((*(str(row[name]) for name in names), len(row["actions"])) for row in found)


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Australia/Sydney", "2027-10-01T00:00"),  # clocks go forward on the 3rd, at 2:00
        ("Australia/Sydney", "2027-04-01T00:00"),  # and back on the 4th, at 3:00
    ],
)
async def test_a_week_in_which_clocks_change_goes_as_simulated(
    world: World, worker_pool: Pool, zone: str, first: str
) -> None:
    worker = Database(worker_pool)
    org = world.org(zone)
    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = start + 7 * DAY
    furnish(world, org, start)
    before = world.everything()

    plan = await simulated(worker, org.id, start, end)

    assert world.everything() == before
    # Now for real, through the same week: each automation is due when it is, from its beginning on.
    world.db.execute(
        "update public.automations as a set next_due_at ="
        "   app.next_due(app.schedule_of(a.trigger), %s, %s::timestamptz - interval '1 microsecond')"
        " where next_due_at is not null",
        [zone, start],
    )
    now = start
    provider = Pushes(PushOutcome("sent"))
    while now < end:
        await worker.value("score_due_risk", p_now=now)
        await fire_due(worker, provider, lambda: now)  # noqa: B023 - called at once
        # A tick at which nothing is due does nothing, so it is left out.
        due = world.db.execute(SOON, {"now": now}).fetchall()[0]["due"]
        now += STEP * max(1, -(-(due - now) // STEP))
    lived = world.rows("select *, actions_fired as actions from public.automation_runs")

    # Due at a quarter past, the ticks of this test find it at half past.
    def on_the_tick(row: dict[str, Any]) -> dict[str, Any]:
        seconds = STEP.total_seconds()
        at = row["fires_at"].timestamp()
        return {**row, "fires_at": datetime.fromtimestamp(-(-at // seconds) * seconds, UTC)}

    assert as_rows([on_the_tick(row) for row in plan], "fires_at") == as_rows(lived, "fired_at")
    assert {"ok", "failed", "skipped"} == {row["status"] for row in plan}
    reasons = {row["reason"] for row in plan}
    assert reasons >= {
        "Quiet hours", "Already fired within 30h", "Daily limit reached", "Weekly limit reached",
        "Text: the client has no phone number.", "Push notification: the client has no device with the app.", None,
    }  # fmt: skip
    assert {row["automation_name"] for row in plan} == {
        row["name"] for row in world.rows("select name from public.automations")
    }
    assert len(provider.sent) == sum(row["status"] == "ok" and row["automation_name"] == "Push" for row in plan)


# -- the command ------------------------------------------------------------------------------------------------------


def command(world: World, *args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["automations", *args], env={"DATABASE_URL": world.url("coach_os_sidecar")})
    return result.exit_code, result.output


def test_the_command_shows_what_would_happen(world: World) -> None:
    org = world.org("Australia/Sydney")
    automation(
        world,
        org,
        [MESSAGE, TAG],
        schedule("0 20,22 * * *"),
        guardrails={"quiet_hours_start": 21, "quiet_hours_end": 8},
    )
    period = ("--from", "2027-10-02T00:00+10:00", "--to", "2027-10-03T00:00+10:00")
    before = world.everything()

    status, shown = command(world, "simulate", str(org.id), *period)

    assert (status, world.everything()) == (0, before)
    assert [line.split("\t") for line in shown.splitlines()] == [
        ["2027-10-02T10:00:00+00:00"] * 2 + ["ok", "-", "Nudge", "Jordan Lee", "send_message, tag_client"],
        ["2027-10-02T12:00:00+00:00"] * 2 + ["skipped", "Quiet hours", "Nudge", "Jordan Lee", "-"],
    ]
    status, shown = command(world, "simulate", str(org.id), *period, "--json")
    assert status == 0
    first, second = (json.loads(line) for line in shown.splitlines())
    assert (first["status"], first["client_id"], second["reason"]) == ("ok", str(org.client_id), "Quiet hours")
    status, shown = command(world, "simulate", str(org.id))
    assert len(shown.splitlines()) == 14  # a week from now


def test_the_command_says_what_is_wrong(world: World) -> None:
    org = world.org()
    assert command(world, "simulate", str(org.id), "--from", "2027-10-02T00:00")[0] == 2  # which zone's?
    assert "not an instant" in command(world, "simulate", str(org.id), "--from", "tomorrow")[1]
    status, shown = command(world, "simulate", str(org.id), "--from", "2027-10-02T00:00Z", "--to", "2028-10-02T00:00Z")
    assert (status, shown.startswith("Error: period_invalid: ")) == (1, True)
    status, shown = command(world, "simulate", "00000000-0000-0000-0000-000000000000")
    assert (status, shown.startswith("Error: org_not_found: ")) == (1, True)


def test_the_command_for_times_needs_no_database() -> None:
    def times(*args: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["automations", "times", *args], env={"DATABASE_URL": ""})
        return result.exit_code, result.output

    sydney = ("--timezone", "Australia/Sydney", "--from", "2027-10-02T00:00Z", "--count", "2")
    assert times("30 2 * * *", *sydney) == (0, "2027-10-03T03:00:00+11:00\n2027-10-04T02:30:00+11:00\n")
    assert times("daily", *sydney, "--hour", "7") == (0, "2027-10-03T07:00:00+11:00\n2027-10-04T07:00:00+11:00\n")
    assert times("0 25 * * *", *sydney) == (1, "Error: At character 3: an hour is 0 to 23.\n")
    assert times("daily", "--timezone", "Mars/Phobos")[0] == 1
