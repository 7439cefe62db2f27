"""Completes sessions that ended with no calendar open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from sidecar.database import Database

log = structlog.get_logger()

BATCH = 500


async def complete_past(database: Database) -> int:
    """Complete every confirmed booking that has ended, in batches; returns how many.

    Those that somebody else is changing at this moment are left for the next run.
    """
    completed = 0
    while batch := int(await database.value("complete_past_bookings", p_now=datetime.now(UTC), p_limit=BATCH)):
        completed += batch
    if completed:
        log.info("bookings_completed", completed=completed)
    return completed
