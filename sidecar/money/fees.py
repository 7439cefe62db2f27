"""Asks Stripe for what no event carries: what it kept of a payment, and how an invoice was paid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import stripe
import structlog
from psycopg.types.json import Jsonb

from sidecar.logging import describe_exception

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    from sidecar.database import Database
    from sidecar.settings import Secret

log = structlog.get_logger()

BATCH = 50
TIMEOUT_S = 20


class StripeReader:
    """Reads from Stripe on behalf of connected accounts. Use as `async with`: it holds the HTTP session."""

    def __init__(self, secret_key: Secret, api_base: str) -> None:
        self._secret_key = secret_key
        self._api_base = api_base

    async def __aenter__(self) -> StripeReader:
        self._http = stripe.HTTPXClient(timeout=TIMEOUT_S)
        self._client = stripe.StripeClient(
            self._secret_key.reveal(),
            base_addresses={"api": self._api_base},
            http_client=self._http,
            max_network_retries=1,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def balance_transaction(self, account: str, payment_key: str, charge_id: str | None) -> dict[str, Any] | None:
        """What a payment came to, or None while Stripe has not settled it.

        Source: https://docs.stripe.com/expand/use-cases#stripe-fee-for-payment
        """
        charge: Any
        if payment_key.startswith("pi_"):
            intent = await self._client.v1.payment_intents.retrieve_async(
                payment_key, {"expand": ["latest_charge.balance_transaction"]}, {"stripe_account": account}
            )
            charge = intent.latest_charge
        else:
            charge = await self._client.v1.charges.retrieve_async(
                charge_id or payment_key, {"expand": ["balance_transaction"]}, {"stripe_account": account}
            )
        found = getattr(charge, "balance_transaction", None)
        return found.to_dict() if isinstance(found, stripe.BalanceTransaction) else None

    async def invoice(self, account: str, invoice_id: str) -> dict[str, Any]:
        """An invoice with its payments, which its events leave out.

        Source: https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
        """
        found = await self._client.v1.invoices.retrieve_async(
            invoice_id, {"expand": ["payments"]}, {"stripe_account": account}
        )
        return found.to_dict()


async def fetch_due(database: Database, reader: StripeReader) -> int:
    """Ask for everything that is due, in batches; returns how many answers were booked. Any number may run at once.

    What Stripe does not answer now is due again later: app.fees_to_fetch() has noted when.
    """
    booked = 0
    while batch := await database.rows("fees_to_fetch", p_now=datetime.now(UTC), p_limit=BATCH):
        for due in batch:
            booked += await _fetch_one(database, reader, due)
        log.info("fees_batch", count=len(batch), completed=booked)
    return booked


async def _fetch_one(database: Database, reader: StripeReader, due: DictRow) -> bool:
    key = str(due["payment_key"])
    try:
        if key.startswith("in_"):
            invoice = await reader.invoice(due["stripe_account_id"], key)
            return bool(await database.value("book_invoice", p_org_id=due["org_id"], p_invoice=Jsonb(invoice)))
        transaction = await reader.balance_transaction(due["stripe_account_id"], key, due["charge_id"])
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
