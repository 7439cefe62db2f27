"""What the platform keeps of a payment on a connected account and gives back, and what Stripe pays out.

Sources: https://docs.stripe.com/api/application_fees/object, /api/fee_refunds/object, /api/payouts/object.
"""

import time
from collections.abc import Sequence

from devstack.standins.server import Json
from devstack.standins.stripe_objects import new_id


def fee_of(charge: Json, account: str) -> Json:
    """Build the application fee of a charge, the platform's own object."""
    fee_id = charge["application_fee"]
    return {
        "id": fee_id,
        "object": "application_fee",
        "account": account,
        "amount": charge["application_fee_amount"],
        "amount_refunded": 0,
        "application": "ca_standin",
        "balance_transaction": None,
        "charge": charge["id"],
        "created": charge["created"],
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": None,
        "refunded": False,
        "refunds": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/application_fees/{fee_id}/refunds",
        },
    }


def refund_fee(fee: Json, charge: Json) -> tuple[Json, Json]:
    """Give back as much of a fee as was refunded of its charge; build the refund and the platform's transaction.

    In proportion: https://docs.stripe.com/api/refunds/create#create_refund-refund_application_fee
    """
    due = fee["amount"] * charge["amount_refunded"] // charge["amount"]
    refund_id = new_id("fr_1")
    balance = _transaction(refund_id, "application_fee_refund", fee["amount_refunded"] - due, fee["currency"])
    made = {
        "id": refund_id,
        "object": "fee_refund",
        "amount": due - fee["amount_refunded"],
        "balance_transaction": balance["id"],
        "created": balance["created"],
        "currency": fee["currency"],
        "fee": fee["id"],
        "metadata": {},
    }
    fee["amount_refunded"] = due
    fee["refunded"] = due == fee["amount"]
    fee["refunds"]["data"].insert(0, made)
    return made, balance


def payout_of(parts: Sequence[Json], currency: str, *, automatic: bool) -> tuple[Json, Json]:
    """Pay out balance transactions; build the payout and its own transaction."""
    payout_id = new_id("po_1")
    amount = sum(part["net"] for part in parts)
    balance = _transaction(payout_id, "payout", -amount, currency)
    made = {
        "id": payout_id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": balance["created"],
        "automatic": automatic,
        "balance_transaction": balance["id"],
        "created": balance["created"],
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": None,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "completed" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "paid",
        "trace_id": None,
        "type": "bank_account",
    }
    return made, balance


def _transaction(source: str, kind: str, amount: int, currency: str) -> Json:
    now = int(time.time())
    return {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": kind,
        "source": source,
        "status": "available",
        "type": kind,
    }
