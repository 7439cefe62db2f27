"""The connection pool, and the one way to call a function of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

if TYPE_CHECKING:
    from sidecar.settings import Secret


def create_pool(url: Secret, name: str, max_size: int = 10) -> AsyncConnectionPool[AsyncConnection[DictRow]]:
    """A pool, not yet open. `name` is what pg_stat_activity shows. Every call is its own transaction."""
    return AsyncConnectionPool(
        url.reveal(),
        min_size=1,
        max_size=max_size,
        timeout=10,
        open=False,
        # After the database restarted, a pooled connection is dead; one look spares the request that would get it.
        check=AsyncConnectionPool.check_connection,
        connection_class=AsyncConnection[DictRow],
        # No prepared statements: Supabase's transaction pooler hands each transaction another server connection.
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "application_name": name,
            "prepare_threshold": None,
            "connect_timeout": 5,
        },
    )


class Database:
    """Calls functions in schema `app` by name; whatever the rules are, they are behind those names."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[DictRow]]) -> None:
        self._pool = pool

    async def rows(self, function: str, **arguments: Any) -> list[DictRow]:  # noqa: ANN401 - any SQL type
        """Call a set-returning function with named arguments; one transaction."""
        query = sql.SQL("select * from app.{}({})").format(
            sql.Identifier(function),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in arguments
            ),
        )
        async with self._pool.connection() as connection:
            return await (await connection.execute(query, arguments)).fetchall()

    async def value(self, function: str, **arguments: Any) -> Any:  # noqa: ANN401 - any SQL type
        """Call a function that returns one value."""
        row = (await self.rows(function, **arguments))[0]
        return next(iter(row.values()))

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with self._pool.connection() as connection:
            await connection.execute("select 1")
