"""Asks Stripe for what no event carries: its fees, how an invoice was paid, what a payout paid out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import stripe
import structlog
from psycopg.types.json import Jsonb

from sidecar.logging import describe_exception
from sidecar.money.stripe_client import WORKER, BoundedClient, create_client
from sidecar.settings import is_live

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    from sidecar.database import Database
    from sidecar.settings import Secret

log = structlog.get_logger()

BATCH = 50


class StripeReader:
    """Reads from Stripe on behalf of connected accounts. Use as `async with`: it holds the HTTP session."""

    def __init__(self, secret_key: Secret, api_base: str) -> None:
        self._secret_key = secret_key
        self._api_base = api_base
        self.livemode = is_live(secret_key)

    async def __aenter__(self) -> StripeReader:
        self._http = BoundedClient(WORKER)
        self.client = create_client(self._secret_key, self._api_base, self._http)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def balance_transaction(self, account: str, payment_key: str, charge_id: str | None) -> dict[str, Any] | None:
        """What a payment came to, or None while Stripe has not settled it.

        Source: https://docs.stripe.com/expand/use-cases#stripe-fee-for-payment
        """
        charge: Any
        if payment_key.startswith("pi_"):
            intent = await self.client.v1.payment_intents.retrieve_async(
                payment_key, {"expand": ["latest_charge.balance_transaction"]}, {"stripe_account": account}
            )
            charge = intent.latest_charge
        else:
            charge = await self.client.v1.charges.retrieve_async(
                charge_id or payment_key, {"expand": ["balance_transaction"]}, {"stripe_account": account}
            )
        found = getattr(charge, "balance_transaction", None)
        return found.to_dict(for_json=True) if isinstance(found, stripe.BalanceTransaction) else None

    async def invoice(self, account: str, invoice_id: str) -> dict[str, Any]:
        """An invoice with its payments, which its events leave out.

        Source: https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
        """
        found = await self.client.v1.invoices.retrieve_async(
            invoice_id, {"expand": ["payments"]}, {"stripe_account": account}
        )
        return found.to_dict(for_json=True)  # the library makes Decimals of some fields

    async def payout_parts(self, account: str, payout_id: str) -> list[dict[str, Any]] | None:
        """What a payout paid out, as app.book_payout_parts() takes it; None while Stripe has not worked it out.

        Of a payout that the account's owner made, Stripe does not say. Source: https://docs.stripe.com/payouts/reconciliation
        """
        payout = await self.client.v1.payouts.retrieve_async(payout_id, None, {"stripe_account": account})
        if not payout.automatic:
            return []
        if payout.reconciliation_status == "in_progress":
            return None
        listed = await self.client.v1.balance_transactions.list_async(
            {"payout": payout_id, "limit": 100, "expand": ["data.source"]}, {"stripe_account": account}
        )
        return [_payout_part(each) async for each in listed.auto_paging_iter()]


def _payout_part(transaction: stripe.BalanceTransaction) -> dict[str, Any]:
    source = transaction.source
    return {
        "type": transaction.type,
        "amount": transaction.amount,
        "source": source if source is None or isinstance(source, str) else source.id,
        "payment_intent": id_of(getattr(source, "payment_intent", None)),
    }


def id_of(reference: Any) -> str | None:  # noqa: ANN401 - whatever Stripe's field holds
    """The id in a field that refers to another object, expanded or not."""
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


async def fetch_due(database: Database, reader: StripeReader) -> int:
    """Ask for everything that is due, in batches; returns how many answers were booked. Any number may run at once.

    What Stripe does not answer now is due again later: app.fees_to_fetch() has noted when.
    """
    booked = 0
    while batch := await database.rows("fees_to_fetch", p_now=datetime.now(UTC), p_limit=BATCH):
        for due in batch:
            try:
                booked += await _fetch_one(database, reader, due)
            except stripe.APIConnectionError as error:
                # Nobody there: the rest would only wait as long, one after the other.
                log.warning("stripe_unreachable", completed=booked, **describe_exception(error))
                return booked
        log.info("fees_batch", count=len(batch), completed=booked)
    return booked


async def _fetch_one(database: Database, reader: StripeReader, due: DictRow) -> bool:
    key = str(due["payment_key"])
    try:
        if key.startswith("in_"):
            invoice = await reader.invoice(due["stripe_account_id"], key)
            return bool(await database.value("book_invoice", p_org_id=due["org_id"], p_invoice=Jsonb(invoice)))
        if key.startswith("po_"):
            parts = await reader.payout_parts(due["stripe_account_id"], key)
            return parts is not None and bool(
                await database.value("book_payout_parts", p_org_id=due["org_id"], p_payout_id=key, p_parts=Jsonb(parts))
            )
        transaction = await reader.balance_transaction(due["stripe_account_id"], key, due["charge_id"])
    except stripe.APIConnectionError:
        raise
    except stripe.StripeError as error:
        log.warning("stripe_refused", **describe_exception(error))
        return False
    return transaction is not None and bool(
        await database.value(
            "book_balance_transaction",
            p_org_id=due["org_id"],
            p_payment_key=key,
            p_transaction=Jsonb(transaction),
        )
    )
