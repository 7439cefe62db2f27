"""Writes reminders to the outbox as they come due."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from sidecar.database import Database

log = structlog.get_logger()

BATCH = 500


async def queue_due(database: Database) -> int:
    """Queue every reminder and unconfirmed warning that has come due, in batches; returns how many."""
    queued = 0
    while batch := int(await database.value("queue_reminders", p_now=datetime.now(UTC), p_limit=BATCH)):
        queued += batch
        if batch < BATCH:
            break
    if queued:
        log.info("sms_reminders_queued", count=queued)
    return queued
