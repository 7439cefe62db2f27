"""The `coach-os` command."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import psycopg
import structlog
import uvicorn
from cryptography.fernet import Fernet
from psycopg_pool import PoolTimeout

from sidecar import jobs, logging, worker
from sidecar.app import create_app
from sidecar.automations import firing
from sidecar.automations.schedule import DEFAULT_HOUR, next_due
from sidecar.database import Database, create_pool
from sidecar.money import inbox
from sidecar.money.fees import StripeReader
from sidecar.money.reconciliation import Span, reconcile_all
from sidecar.settings import (
    MoneySettings,
    ServeSettings,
    SettingsError,
    WorkerSettings,
    credentials_keys_from_env,
    database_url_from_env,
)
from sidecar.sms.credentials import Vault, renew_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from typing import TypeVar
    from uuid import UUID

    from psycopg.rows import DictRow

    from sidecar.money.reconciliation import Outcome
    from sidecar.settings import Secret

    T = TypeVar("T")

log = structlog.get_logger()


class _Instant(click.ParamType[datetime]):
    """An instant in ISO 8601 with its UTC offset, or `now`."""

    name = "instant"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if value == "now":
            return datetime.now(UTC)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = datetime.min  # noqa: DTZ901 - refused below, as every time without an offset
        if at.tzinfo is None:
            self.fail("not an instant such as 2026-10-04T09:00+11:00", param, ctx)
        return at


_INSTANT = _Instant()


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
    """Complete past bookings, send texts, run automations and keep the books, on the minute."""
    _run(worker.run(_settings(WorkerSettings.from_env)))


@main.group("jobs")
def jobs_group() -> None:
    """The job tables."""


@jobs_group.command("install")
def jobs_install() -> None:
    """Install the job tables, or upgrade them to the library's version. Safe to repeat."""
    version = _run(jobs.install(_settings(database_url_from_env)))
    click.echo(f"job tables are at version {version}")


@main.group("credentials")
def credentials_group() -> None:
    """The encrypted tokens of accounts that businesses bring."""


@credentials_group.command("new-key")
def credentials_new_key() -> None:
    """Make a key for CREDENTIALS_KEYS; put it first, before those in use."""
    click.echo(Fernet.generate_key().decode())


@credentials_group.command("renew")
def credentials_renew() -> None:
    """Encrypt every token with the first of CREDENTIALS_KEYS; after that the others can go. Safe to repeat."""
    vault = Vault(_settings(credentials_keys_from_env))
    renewed, unreadable = _with_database(lambda database: renew_all(database, vault))
    click.echo(f"{renewed} renewed")
    if unreadable:
        raise click.ClickException(
            f"{unreadable} open with none of CREDENTIALS_KEYS: keep the older keys, or ask anew."
        )


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


@main.group("webhooks")
def webhooks_group() -> None:
    """What Stripe delivered, and what became of it."""


@webhooks_group.command("list")
@click.option("--status", type=click.Choice(inbox.STATUSES), help="Default: what was not applied.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
def webhooks_list(status: str | None, limit: int) -> None:
    """List kept events, oldest first: id, Stripe's id, type, status, reason, attempts, when it is tried next."""
    rows = _with_database(lambda database: inbox.listed(database, status, limit))
    for row in rows:
        due = row["next_attempt_at"]
        fields = (row["id"], row["event_id"], row["event_type"], row["status"], row["reason"] or "-", row["attempts"])
        click.echo("\t".join(map(str, (*fields, due.isoformat(timespec="seconds") if due else "-"))))


@webhooks_group.command("replay")
@click.argument("event_id", metavar="ID", type=click.UUID, required=False)
@click.option("--all", "everything", is_flag=True, help="All that was not applied.")
def webhooks_replay(event_id: UUID | None, everything: bool) -> None:  # noqa: FBT001 - click passes by name
    """Apply a kept event now; ID is the first column of `list`."""
    if (event_id is None) != everything:
        raise click.UsageError("Name one event, or --all.")

    async def replay(database: Database) -> list[str]:
        ids = [event_id] if event_id else [row["id"] for row in await inbox.listed(database, None, 10_000)]
        return [await inbox.replay(database, each) for each in ids]

    outcomes = _with_database(replay)
    for outcome in sorted(set(outcomes)):
        click.echo(f"{outcome}: {outcomes.count(outcome)}")


@webhooks_group.command("discard")
@click.argument("event_id", metavar="ID", type=click.UUID)
def webhooks_discard(event_id: UUID) -> None:
    """Let a kept event lie: it is tried no more."""
    click.echo(_with_database(lambda database: inbox.discard(database, event_id)))


@main.group("money")
def money_group() -> None:
    """The books. Needs DATABASE_URL (the worker's) and STRIPE_SECRET_KEY."""


@money_group.command("reconcile")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first day (UTC). Default: what is due.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="The last day (UTC). Default: today.")
def money_reconcile(first: datetime | None, last: datetime | None) -> None:
    """Compare the books with Stripe now, take in what is missing, and print what is wrong; exits 1 when anything is.

    Prints a line for each account (events taken in, or why it could not be compared), then one for each finding about
    money that is open: kind, business, what it is about, since when, amounts.
    """
    if last is not None and first is None:
        raise click.UsageError("--to needs --from.")
    span = _span(first, last)
    settings = _settings(MoneySettings.from_env)

    async def reconcile(database: Database) -> tuple[list[Outcome], list[DictRow]]:
        async with StripeReader(settings.stripe_secret_key, settings.stripe_api_base) as reader:
            outcomes = await reconcile_all(database, reader, span)
        return outcomes, await database.rows("open_findings", p_area="money")

    outcomes, findings = _with_database(reconcile)
    for outcome in outcomes:
        click.echo(f"{outcome.account_id}\t{outcome.problem or f'{outcome.taken_in} events taken in'}")
    for row in findings:
        since = row["first_seen_at"].isoformat(timespec="seconds")
        fields = (row["kind"], row["org_id"] or "platform", row["subject"], since, json.dumps(row["detail"]))
        click.echo("\t".join(map(str, fields)))
    if findings:
        raise click.ClickException(f"{len(findings)} findings; docs/money.md says what to do about each kind.")
    click.echo("ok: the books hold what Stripe lists")


def _span(first: datetime | None, last: datetime | None) -> Span | None:
    if first is None:
        return None
    now = datetime.now(UTC)
    begin = first.replace(tzinfo=UTC)
    end = now if last is None else min(last.replace(tzinfo=UTC) + timedelta(days=1), now)
    if begin >= end:
        raise click.UsageError("--from is after --to, or has not come yet.")
    return Span(begin, end)


@main.group("automations")
def automations_group() -> None:
    """What orgs have done by themselves."""


@automations_group.command("simulate")
@click.argument("org_id", metavar="ORG", type=click.UUID)
@click.option("--from", "start", type=_INSTANT, default="now", help="With a UTC offset; default: now.")
@click.option("--to", "end", type=_INSTANT, help="Default: a week after the start; at most 31 days after it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def automations_simulate(org_id: UUID, start: datetime, end: datetime | None, as_json: bool) -> None:  # noqa: FBT001
    """Show what the automations of an org would do, for whom, and what they would not and why; nothing is done.

    Columns: when it is due, when it fires, outcome, reason, automation, client, actions.
    """
    rows = _with_database(lambda database: firing.simulated(database, org_id, start, end or start + timedelta(days=7)))
    for row in rows:
        if as_json:
            click.echo(json.dumps(row, default=str))
            continue
        times = (row[name].isoformat(timespec="seconds") for name in ("due_at", "fires_at"))
        actions = ", ".join(action["type"] for action in row["actions"])
        names = (row["automation_name"], row["client_name"])
        click.echo("\t".join((*times, row["status"], row["reason"] or "-", *names, actions or "-")))


@automations_group.command("times")
@click.argument("schedule", metavar="SCHEDULE")
@click.option("--timezone", required=True, help="IANA name, for example Australia/Sydney.")
@click.option("--from", "start", type=_INSTANT, default="now", help="With a UTC offset; default: now.")
@click.option(
    "--hour", default=DEFAULT_HOUR, show_default=True, type=click.IntRange(0, 23), help="Of daily and weekly."
)
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 1000))
def automations_times(schedule: str, timezone: str, start: datetime, hour: int, count: int) -> None:
    """Show when a SCHEDULE is due next: daily, weekly, or five cron fields in quotes. Needs no database."""
    at = start
    try:
        for _ in range(count):
            at = next_due(schedule, timezone, at, hour)
            click.echo(at.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds"))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with create_pool(_settings(database_url_from_env), "coach-os command", max_size=1) as pool:
            return await work(Database(pool))

    try:
        return asyncio.run(connected())
    except psycopg.errors.Error as error:
        if (error.sqlstate or "").startswith("PT"):
            raise click.ClickException(f"{error.diag.message_primary}: {error.diag.message_hint}") from None
        raise click.ClickException(f"The database refused ({type(error).__name__}).") from None
    except PoolTimeout:
        raise click.ClickException("The database cannot be used with DATABASE_URL: check it.") from None


if __name__ == "__main__":
    main()
