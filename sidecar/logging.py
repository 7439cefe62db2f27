"""Allow-list logging: a field that is not on the list does not reach a log line, whoever logs it.

Lines are JSON. Our own code logs an event (a constant) and fields; libraries' messages are never printed, because
they hold arguments (Procrastinate's, all of a job's), only where they came from and what kind they are.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from types import TracebackType

    from structlog.typing import EventDict

# Codes, counts, durations and ids of rows or jobs: nothing that names a person, nothing a caller may word.
SAFE_FIELDS = frozenset(
    {
        "completed",
        "count",
        "duration_ms",
        "exception",
        "failed",
        "frames",
        "level",
        "method",
        "outcome",
        "port",
        "pushed",
        "request_id",
        "retried",
        "route",
        "sent",
        "sqlstate",
        "status",
        "unknown",
        "version",
    }
)
# What Procrastinate calls its own events, from its source; any other text is not trusted to be free of data.
LIBRARY_ACTIONS = frozenset(
    {
        "about_to_defer_job",
        "cancel_job",
        "job_aborted",
        "job_defer",
        "job_error",
        "job_error_retry",
        "job_success",
        "jobs_deferred",
        "periodic_deferrer_no_task",
        "periodic_task_already_deferred",
        "periodic_task_deferred",
        "registering_periodic_task",
        "start_job",
        "start_worker",
        "stop_worker",
        "stopped_worker",
        "stopping_worker",
        "task_not_found",
    }
)


def only_safe_fields(_logger: object, _method: str, fields: EventDict) -> EventDict:
    """Let through the fields on the list; count the others, without their values."""
    kept = {key: value for key, value in fields.items() if key in SAFE_FIELDS or key in {"event", "at", "logger"}}
    dropped = len(fields) - len(kept)
    return kept | {"dropped": dropped} if dropped else kept


def describe_exception(error: BaseException | None) -> dict[str, Any]:
    """Type, SQLSTATE and places of an exception, never its text: texts quote values."""
    if error is None:
        return {}
    described: dict[str, Any] = {
        "exception": type(error).__qualname__,
        "frames": _frames(error.__traceback__),
    }
    if sqlstate := getattr(error, "sqlstate", None):
        described["sqlstate"] = sqlstate
    return described


def _frames(tb: TracebackType | None) -> list[str]:
    return [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(tb)[-6:]]


class SafeFormatter(logging.Formatter):
    """Turns any library's log record into a line that holds none of its text."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON line: logger, level, a known action, and an exception's type and places."""
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": "library_log",
            "logger": record.name.split(".worker.")[0],
        }
        job = getattr(record, "job", None)  # Procrastinate's: its id and name, never its arguments
        if isinstance(job, dict):
            fields |= {"job_id": job.get("id"), "task": job.get("task_name")}
        action = getattr(record, "action", None)
        if action in LIBRARY_ACTIONS:
            fields["event"] = action
        if record.exc_info:
            fields |= describe_exception(record.exc_info[1])
        return json.dumps(fields)


def configure(level: str = "INFO") -> None:
    """Send our events and every library's to stdout, through the allow-list. Call once, before anything logs."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(SafeFormatter())
    # Below a warning libraries tell of every poll and tick; what our own work did, we log ourselves.
    logging.basicConfig(level=level if level == "DEBUG" else "WARNING", handlers=[handler], force=True)
    # A library that brings its own handler would print its own text beside ours.
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="at"),
            only_safe_fields,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
