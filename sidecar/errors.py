"""From errors to answers: the one place that decides what a caller is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from psycopg import DataError
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from sidecar.logging import describe_exception

if TYPE_CHECKING:
    from typing import Any

    from litestar.types import ExceptionHandlersMap

log = structlog.get_logger()


class Refusal(Exception):
    """A request that is not taken: HTTP status, a code for machines, a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


UNAVAILABLE = ("08", "53", "57P")
"""Classes of SQLSTATE that say the server is not there or has no room just now; none at all: no connection.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""


def _answer(status: int, code: str, message: str) -> Response[dict[str, str]]:
    return Response({"code": code, "message": message}, status_code=status)


def _on_refusal(_: Request[Any, Any, Any], error: Refusal) -> Response[dict[str, str]]:
    return _answer(error.status, error.code, error.message)


def _on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, str]]:
    # The framework's detail may quote what was sent.
    sentences = {404: "There is nothing at this address.", 405: "This address does not take that method."}
    return _answer(
        error.status_code,
        f"http_{error.status_code}",
        sentences.get(error.status_code, "The request is not in the expected form; see /schema."),
    )


def _on_database(request: Request[Any, Any, Any], error: DatabaseError) -> Response[dict[str, str]]:
    sqlstate = error.sqlstate or ""
    if sqlstate.startswith("PT"):  # the database's own refusals: PT + HTTP status, as PostgREST reads them
        return _answer(int(sqlstate[2:]), error.diag.message_primary or "refused", error.diag.message_hint or "")
    # A value the database cannot hold (the driver knows some, without a sqlstate), or not index.
    if isinstance(error, DataError) or sqlstate == "54000":
        log.warning("value_refused", **describe_exception(error))
        return _answer(400, "value_invalid", "A value in the request cannot be stored.")
    if not sqlstate or sqlstate.startswith(UNAVAILABLE):
        log.warning("database_unavailable", route=request.scope["path_template"], **describe_exception(error))
        return _answer(503, "database_unavailable", "The database cannot be reached just now; try again shortly.")
    return _on_any(request, error)


def _on_any(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    log.error("request_failed", route=request.scope.get("path_template", ""), **describe_exception(error))
    return _answer(500, "internal_error", "Something went wrong on our side; the request can be repeated.")


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    Refusal: _on_refusal,
    HTTPException: _on_http,
    PoolTimeout: _on_database,
    DatabaseError: _on_database,
    Exception: _on_any,
}
