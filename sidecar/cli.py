"""The `coach-os` command."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click
import psycopg
import structlog
import uvicorn
from psycopg_pool import PoolTimeout

from sidecar import jobs, logging, worker
from sidecar.app import create_app
from sidecar.database import Database, create_pool
from sidecar.settings import ServeSettings, SettingsError, WorkerSettings, database_url_from_env

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import TypeVar

    from sidecar.settings import Secret

    T = TypeVar("T")

log = structlog.get_logger()


def _settings(read: Callable[[Mapping[str, str]], T]) -> T:
    try:
        return read(os.environ)
    except SettingsError as error:
        raise click.ClickException(f"{error}\nSettings come from the environment; see .env.example.") from None


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (psycopg.Error, PoolTimeout) as error:
        # Its text may quote the address, and with it the password.
        reason = type(error).__name__
        raise click.ClickException(f"The database cannot be used with DATABASE_URL ({reason}): check it.") from None


@click.group()
@click.option("--log-level", default="INFO", envvar="LOG_LEVEL", type=click.Choice(["DEBUG", "INFO", "WARNING"]))
def main(log_level: str) -> None:
    """Coach OS: the service beside the database. Settings come from the environment (.env.example)."""
    logging.configure(log_level)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=54330, show_default=True)
def serve(host: str, port: int) -> None:
    """Answer webhooks from Stripe and Twilio, and open checkouts."""
    settings = _settings(ServeSettings.from_env)
    log.info("serving", port=port)
    config = uvicorn.Config(
        create_app(settings), host=host, port=port, log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=10,
    )  # fmt: skip
    uvicorn.Server(config).run()


@main.command("worker")
def run_worker() -> None:
    """Complete past bookings and send texts, on the minute; installs the job tables at start."""
    _run(worker.run(_settings(WorkerSettings.from_env)))


@main.group("jobs")
def jobs_group() -> None:
    """The job tables."""


@jobs_group.command("install")
def jobs_install() -> None:
    """Install the job tables, or upgrade them to the library's version. Safe to repeat."""
    version = _run(jobs.install(_settings(database_url_from_env)))
    click.echo(f"job tables are at version {version}")


@main.command()
def doctor() -> None:
    """Check that the database answers and that every session count equals its ledger; exits 1 when not."""
    discrepancies = _run(_count_discrepancies(_settings(database_url_from_env)))
    if discrepancies:
        raise click.ClickException(f"{discrepancies} packs whose session count is not the sum of their ledger.")
    click.echo("ok: the database answers, every session count equals its ledger")


async def _count_discrepancies(url: Secret) -> int:
    async with create_pool(url, "coach-os doctor", max_size=1) as pool:
        return len(await Database(pool).rows("session_discrepancies"))


if __name__ == "__main__":
    main()
