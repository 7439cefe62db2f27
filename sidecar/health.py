"""Is the process alive, and can it do its work?"""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from sidecar.database import Database


@get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Answers as long as the process runs."""
    return {"status": "ok"}


@get("/readyz", summary="Ready")
async def readyz(database: NamedDependency[Database]) -> Response[dict[str, str]]:
    """Answers 200 when the database does, else 503."""
    await database.ping()
    return Response({"status": "ready"})
