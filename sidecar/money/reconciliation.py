"""Once a day, each account: what Stripe lists against the books. docs/money.md says why it is done as it is.

What is missing and Stripe still has the event of is taken in through the webhook's own door; what is wrong after that
is kept as a finding (app.health_findings). The database decides what is missing and what is wrong; here is only how
Stripe is asked. Nothing depends on being alone: events are applied once by their ids, and findings are rows by key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import stripe
import structlog
from psycopg.types.json import Jsonb

from sidecar.logging import describe_exception
from sidecar.money import stripe_events
from sidecar.money.fees import id_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from uuid import UUID

    from psycopg.rows import DictRow
    from stripe import ListObject, RequestOptions, StripeObject

    from sidecar.database import Database
    from sidecar.money.fees import StripeReader

    Shown = dict[str, Any]

log = structlog.get_logger()

PAGE = 100
"""The most that Stripe lists at once. Source: https://docs.stripe.com/api/pagination"""

COMPARED = (
    "id", "object", "status", "amount", "currency", "payment_intent", "captured", "amount_captured",
    "amount_received", "application_fee_amount", "amount_paid", "payment_status", "amount_total",
)  # fmt: skip
"""What app.stripe_lines() looks at; the rest of an object, who paid for instance, is not kept."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, the end not included; Stripe's clock ticks in seconds."""

    begin: datetime
    end: datetime

    @property
    def created(self) -> dict[str, int]:
        """As Stripe's lists take it."""
        return {"gte": math.floor(self.begin.timestamp()), "lt": math.ceil(self.end.timestamp())}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an account was compared: events that were missing and taken in, or why it could not be."""

    account_id: str
    taken_in: int = 0
    problem: str | None = None


async def reconcile_due(database: Database, reader: StripeReader) -> int:
    """Compare every account whose day has come; returns how many. Any number may run at once.

    Ends when Stripe does not answer: the rest would only wait as long, one after the other, and stays due.
    """
    count = 0
    while claimed := await _claim(database, reader, None):
        count += 1
        if (await _reconcile(database, reader, claimed, None)).problem == "stripe_unavailable":
            break
    return count


async def reconcile_all(database: Database, reader: StripeReader, span: Span | None = None) -> list[Outcome]:
    """Compare every account now, whether due or not: what is due, or what happened in a span."""
    outcomes = []
    for row in await database.rows("reconciled_accounts"):
        # None: somebody else is at it at this moment, or it was disconnected since.
        if claimed := await _claim(database, reader, row["reconciled_accounts"]):
            outcomes.append(await _reconcile(database, reader, claimed, span))
    return outcomes


async def _claim(database: Database, reader: StripeReader, account_id: str | None) -> DictRow | None:
    claimed = await database.rows(
        "claim_reconciliation", p_now=datetime.now(UTC), p_livemode=reader.livemode, p_account_id=account_id
    )
    return claimed[0] if claimed else None


async def _reconcile(database: Database, reader: StripeReader, claimed: DictRow, span: Span | None) -> Outcome:
    now = datetime.now(UTC)
    account_id: str = claimed["account_id"]
    problem: str | None = claimed["problem"]
    detail: dict[str, Any] = {}
    taken_in = 0
    if problem is None:
        try:
            taken_in = await _compare(database, reader, claimed, span, now)
        except stripe.StripeError as error:
            log.warning("stripe_refused", **describe_exception(error))
            problem = "account_access_lost" if isinstance(error, stripe.PermissionError) else "stripe_unavailable"
            # Of a PermissionError the library leaves `code` empty.
            code = error.code or getattr(error.error, "code", None)
            detail = {"error": type(error).__name__, "status": error.http_status, "code": code}
    if problem is None:
        await database.value(
            "reconciliation_done",
            p_account_id=account_id,
            p_livemode=reader.livemode,
            p_mended=taken_in,
            p_advance=span is None,
            p_now=now,
        )
    else:
        await database.value(
            "reconciliation_failed", p_account_id=account_id, p_kind=problem, p_detail=Jsonb(detail), p_now=now
        )
    log.info("account_reconciled", outcome=problem or "compared", count=taken_in)
    return Outcome(account_id, taken_in, problem)


async def _compare(database: Database, reader: StripeReader, claimed: DictRow, span: Span | None, now: datetime) -> int:
    account: str | None = claimed["stripe_account_id"]
    objects = span or Span(claimed["objects_from"], now)
    events = span or Span(claimed["events_from"], now)
    # Objects first: of all that they show, the event is then listed, too.
    listed = _fee_refunds(reader, objects) if account is None else _objects(reader, account, objects)
    seen = [each async for each in listed]
    taken_in = await _take_in_missing(database, reader, account, events)
    await _look_again(database, reader, claimed, seen, objects)
    return taken_in


# -- events -----------------------------------------------------------------------------------------------------------


async def _take_in_missing(database: Database, reader: StripeReader, account: str | None, span: Span) -> int:
    """Hand every event that was never delivered to the webhook's door; returns how many. Stripe has those of 30 days.

    Sources: https://docs.stripe.com/api/events/list, https://docs.stripe.com/webhooks/process-undelivered-events
    """
    params: Any = {"created": span.created, "limit": PAGE}
    if account is None:
        params["type"] = "application_fee.refunded"
    taken_in = 0
    async for page in _pages(await reader.client.v1.events.list_async(params, _on_behalf(account))):
        missing = await database.rows(
            "missing_stripe_events",
            p_account_id=account,
            p_events=Jsonb([{"id": event.id, "type": event.type} for event in page]),
        )
        ids = {row["missing_stripe_events"] for row in missing}
        # Stripe lists the newest first.
        for event in reversed([event for event in page if event.id in ids]):
            taken_in += await _take_in(database, reader, account, event)
    return taken_in


async def _take_in(database: Database, reader: StripeReader, account: str | None, event: stripe.Event) -> bool:
    told = event.to_dict(for_json=True)
    if account is not None:
        told["account"] = account  # whose list it was in
    try:
        await stripe_events.receive(database, told, livemode=reader.livemode)
    except psycopg.DataError as error:
        # The webhook refuses it, too (a text that Postgres does not store); what it was about is found missing.
        log.warning("event_refused", **describe_exception(error))
        return False
    return True


# -- objects ----------------------------------------------------------------------------------------------------------


async def _objects(reader: StripeReader, account: str, span: Span) -> AsyncIterator[Shown]:
    """Everything of an account that moves money, begun in a span."""
    v1, options = reader.client.v1, _on_behalf(account)
    params: Any = {"created": span.created, "limit": PAGE}
    for service in (v1.charges, v1.refunds, v1.disputes, v1.payouts):
        listed: ListObject[Any] = await service.list_async(params, options)
        async for each in listed.auto_paging_iter():
            yield _shown(each)


async def _fee_refunds(reader: StripeReader, span: Span) -> AsyncIterator[Shown]:
    """What the platform gave back of its share, on whatever account, in a span."""
    params: Any = {
        "type": "application_fee_refund",
        "created": span.created,
        "limit": PAGE,
        "expand": ["data.source.fee"],
    }
    listed = await reader.client.v1.balance_transactions.list_async(params)
    async for transaction in listed.auto_paging_iter():
        source: Any = transaction.source
        yield _fee_refund(source, source.fee)


def _fee_refund(refund: stripe.ApplicationFeeRefund, fee: stripe.ApplicationFee) -> Shown:
    return {
        "object": "fee_refund",
        "id": refund.id,
        "amount": refund.amount,
        "currency": refund.currency,
        "account": id_of(fee.account),
        "charge": id_of(fee.charge),
    }


def _shown(found: StripeObject) -> Shown:
    known = found.to_dict(for_json=True)
    shown = {name: known[name] for name in COMPARED if name in known}
    if "balance_transactions" in known:
        shown["balance_transactions"] = [
            {name: each[name] for name in ("amount", "fee", "currency")} for each in known["balance_transactions"]
        ]
    return shown


# -- comparing --------------------------------------------------------------------------------------------------------


async def _look_again(
    database: Database, reader: StripeReader, claimed: DictRow, seen: Sequence[Shown], span: Span
) -> None:
    """Ask Stripe once more, one by one, about all that seems wrong, and keep what is.

    What seems wrong: objects that the books do not hold as they were listed, rows of the books that were not listed,
    and what an earlier run found. Between list and books time has passed; of one object the answer is of now.
    """
    org_id: UUID | None = claimed["org_id"]
    subjects: dict[str, tuple[str | None, str | None]] = {}
    by_id = {each["id"]: each for each in seen}
    for page in _chunks(seen):
        for row in await database.rows("stripe_discrepancies", p_org_id=org_id, p_objects=Jsonb(page)):
            shown = by_id.get(row["subject"], {})
            subjects[row["subject"]] = (shown.get("account"), shown.get("charge"))
    for row in await database.rows(
        "stripe_subjects_to_check",
        p_org_id=org_id,
        p_from=span.begin,
        p_to=span.end,
        p_seen=[_subject(each) for each in seen],
    ):
        subjects[row["subject"]] = (row["account_id"], row["charge_id"])
    for some in _chunks(list(subjects.items())):
        found = [
            await (
                _fee_refund_now(reader, subject, *whose)
                if org_id is None
                else _object_now(reader, claimed["stripe_account_id"], subject)
            )
            for subject, whose in some
        ]
        await database.value("record_stripe_findings", p_org_id=org_id, p_objects=Jsonb(found), p_now=datetime.now(UTC))


def _subject(shown: Shown) -> str:
    """Under which id the books would hold it. A charge that failed is not what paid its intent."""
    if shown["object"] == "charge" and shown["status"] == "succeeded" and shown["captured"]:
        return str(shown["payment_intent"] or shown["id"])
    return str(shown["id"])


async def _object_now(reader: StripeReader, account: str, subject: str) -> Shown:
    v1 = reader.client.v1
    services: dict[str, Any] = {
        "pi": v1.payment_intents, "ch": v1.charges, "py": v1.charges, "re": v1.refunds, "pyr": v1.refunds,
        "du": v1.disputes, "dp": v1.disputes, "po": v1.payouts, "in": v1.invoices, "cs": v1.checkout.sessions,
    }  # fmt: skip
    service = services.get(subject.partition("_")[0])
    try:
        if service is not None:
            return _shown(await service.retrieve_async(subject, None, _on_behalf(account)))
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":
            raise
    return {"object": "missing", "id": subject}


async def _fee_refund_now(reader: StripeReader, subject: str, account: str | None, charge: str | None) -> Shown:
    """A refund of a fee can only be asked for by its fee, and that is found by its charge."""
    if charge is not None:
        fees = await reader.client.v1.application_fees.list_async({"charge": charge, "limit": PAGE})
        async for fee in fees.auto_paging_iter():
            async for refund in fee.refunds.auto_paging_iter():
                if refund.id == subject:
                    return _fee_refund(refund, fee)
    return {"object": "missing", "id": subject, "account": account, "charge": charge}


# -- asking -----------------------------------------------------------------------------------------------------------


def _on_behalf(account: str | None) -> RequestOptions:
    return {} if account is None else {"stripe_account": account}


async def _pages(listed: ListObject[stripe.Event]) -> AsyncIterator[list[stripe.Event]]:
    page: list[stripe.Event] = []
    async for each in listed.auto_paging_iter():
        page.append(each)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _chunks(everything: Sequence[Any]) -> Iterable[list[Any]]:
    return (list(everything[n : n + PAGE]) for n in range(0, len(everything), PAGE))
