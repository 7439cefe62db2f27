"""Does what automations are due to do. The rules are the database's; here is only when they are asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from sidecar.automations.push import NOT_SET_UP, PushOutcome
from sidecar.logging import describe_exception

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from psycopg.rows import DictRow

    from sidecar.automations.push import PushProvider
    from sidecar.database import Database

log = structlog.get_logger()

CLIENTS_AT_ONCE = 200
RUNS_AT_ONCE = 50
ORGS_AT_ONCE = 100
PUSH_TIMEOUT_S = 240
"""Less than the five minutes after which the database takes a notification for lost."""


@dataclass(frozen=True, slots=True)
class Fired:
    """How much was done: slots taken up, failed runs tried again, push notifications handed to the provider."""

    slots: int = 0
    retried: int = 0
    pushed: int = 0


async def fire_due(database: Database, push: PushProvider | None, clock: Callable[[], datetime] | None = None) -> Fired:
    """Do all that is due now, in batches, each its own transaction; any number of callers at once.

    Without a `clock`, now is the database's, whatever this machine says: workers cannot disagree about it.
    """

    def now() -> dict[str, datetime]:
        return {"p_now": clock()} if clock else {}

    slots = retried = pushed = 0
    while True:
        claimed = int(await database.value("claim_due_automations", p_limit=CLIENTS_AT_ONCE, **now()))
        done = int(await database.value("run_due_slots", p_limit=CLIENTS_AT_ONCE, **now()))
        slots += done
        if not claimed and not done:
            break
    while tried := int(await database.value("retry_due_runs", p_limit=RUNS_AT_ONCE, **now())):
        retried += tried
    while batch := await database.rows("claim_automation_pushes", p_limit=RUNS_AT_ONCE, **now()):
        await asyncio.gather(*(_push_one(database, push, each, now()) for each in batch))
        pushed += len(batch)
    if slots or retried or pushed:
        log.info("automations_fired", count=slots, retried=retried, pushed=pushed)
    return Fired(slots, retried, pushed)


async def score_risk(database: Database) -> int:
    """Score the clients of every org that has no scores of this UTC day yet; returns how many orgs."""
    scored = 0
    while batch := int(await database.value("score_due_risk", p_limit=ORGS_AT_ONCE)):
        scored += batch
    if scored:
        log.info("risk_scored", count=scored)
    return scored


async def simulated(database: Database, org_id: UUID, start: datetime, end: datetime) -> list[DictRow]:
    """What the automations of an org would do from `start` until before `end` (see app.simulate_automations)."""
    return await database.rows("simulate_automations", p_org=org_id, p_from=start, p_to=end)


async def _push_one(database: Database, push: PushProvider | None, each: DictRow, now: dict[str, datetime]) -> None:
    outcome = NOT_SET_UP
    if push is not None:
        try:
            async with asyncio.timeout(PUSH_TIMEOUT_S):
                outcome = await push.send(each["tokens"], each["title"], each["body"])
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the push service may have been called
            log.error("push_failed", **describe_exception(error))
            outcome = PushOutcome("unknown")
    await database.value(
        "settle_automation_push", p_run_id=each["run_id"], p_outcome=outcome.kind, p_cause=outcome.cause, **now
    )
