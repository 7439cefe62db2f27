"""What Stripe delivered and could not be applied: tried again by the worker, listed and settled by command."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    from sidecar.database import Database

log = structlog.get_logger()

BATCH = 50
STATUSES = ("failed", "unmatched", "ignored", "applied", "discarded")


async def retry_due(database: Database) -> int:
    """Try again every kept event that is due, in batches; returns how many were tried."""
    tried = 0
    while True:
        outcome = (await database.rows("retry_webhook_events", p_now=datetime.now(UTC), p_limit=BATCH))[0]
        count = sum(outcome.values())
        if not count:
            return tried
        tried += count
        log.info("webhook_events_retried", completed=outcome["applied"], failed=outcome["failed"], count=count)


async def listed(database: Database, status: str | None, limit: int) -> list[DictRow]:
    """Kept events of a status; None: those that were not applied."""
    return await database.rows("list_webhook_events", p_status=status, p_limit=limit)


async def replay(database: Database, event_id: UUID) -> str:
    """Apply one now; returns its status."""
    return str(await database.value("replay_webhook_event", p_id=event_id, p_now=datetime.now(UTC)))


async def discard(database: Database, event_id: UUID) -> str:
    """Try one no more; returns its status."""
    return str(await database.value("discard_webhook_event", p_id=event_id, p_now=datetime.now(UTC)))
