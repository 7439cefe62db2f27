"""What follows a payment in Stripe: refunds, and the customer, subscription and invoice of a recurring one.

Sources: https://docs.stripe.com/api/refunds, /api/subscriptions/object, /api/invoices/object, /api/customers/object.
"""

import time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from devstack.standins.server import Json
from devstack.standins.stripe_forms import StripeError, integer, invalid
from devstack.standins.stripe_objects import format_amount, new_id

_REASONS = {"duplicate", "fraudulent", "requested_by_customer"}
_DAY = 24 * 3600
_SECONDS = {"day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY, "year": 365 * _DAY}


def refund(params: Json, charge: Json) -> tuple[Json, Json]:
    """Check the parameters of, and build, a refund of a charge with its balance transaction.

    Never more than is left: https://docs.stripe.com/api/refunds/create
    """
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded")
    amount = integer(params.get("amount", left), "amount")
    if amount < 1:
        raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        asked, rest = format_amount(amount, charge["currency"]), format_amount(left, charge["currency"])
        raise invalid("amount", f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})")
    reason = params.get("reason")
    if reason is not None and reason not in _REASONS:
        raise invalid("reason", f"Invalid reason: must be one of {', '.join(sorted(_REASONS))}")
    if params.get("refund_application_fee", "false") not in {"true", "false"}:
        raise invalid("refund_application_fee", "Invalid boolean")
    now, refund_id = int(time.time()), new_id("re_3")
    balance = {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": -amount,
        "available_on": now,
        "balance_type": "payments",
        "created": now,
        "currency": charge["currency"],
        "description": "REFUND FOR CHARGE",
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": -amount,
        "reporting_category": "refund",
        "source": refund_id,
        "status": "pending",
        "type": "refund",
    }
    made = {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": balance["id"],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": params.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    return made, balance


def note_refund(charge: Json, amount: int) -> None:
    """Count a refund on its charge."""
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def application_fee(percent: object, amount: int) -> int | None:
    """What a percentage of a subscription's payment is, in whole cents."""
    if percent is None:
        return None
    return int((Decimal(str(percent)) * amount / 100).quantize(Decimal(1), ROUND_HALF_UP))


def check_fee_percent(data: Json, account: str | None) -> None:
    """Check `subscription_data[application_fee_percent]`: 0 to 100, at most two decimals, on a connected account."""
    if "application_fee_percent" not in data:
        return
    param = "subscription_data[application_fee_percent]"
    try:
        percent = Decimal(str(data["application_fee_percent"]))
    except InvalidOperation as error:
        raise invalid(param, "Invalid decimal") from error
    if not 0 <= percent <= 100 or percent != round(percent, 2):
        raise invalid(param, "This value must be between 0 and 100, with at most two decimal places.")
    if account is None:
        raise invalid(param, "Can only apply an application_fee_percent to a direct charge's subscription.")


def subscribed(session: Json, item: Json, data: Json, intent_id: str) -> tuple[Json, Json, Json]:
    """Build the customer, the subscription and the first invoice of a subscription that is being paid."""
    now = int(time.time())
    recurring = item["price"]["recurring"]
    until = now + recurring["interval_count"] * _SECONDS[recurring["interval"]]
    metadata = data.get("metadata", {})
    customer = {
        "id": session["customer"] or new_id("cus_", 14),
        "object": "customer",
        "created": now,
        "currency": session["currency"],
        "delinquent": False,
        "email": session["customer_email"] or "payer@example.com",
        "livemode": False,
        "metadata": {},
        "name": "Test Payer",
    }
    subscription_id, invoice_id = new_id("sub_1"), new_id("in_1")
    subscription = {
        "id": subscription_id,
        "object": "subscription",
        "application_fee_percent": data.get("application_fee_percent"),
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "collection_method": "charge_automatically",
        "created": now,
        "currency": session["currency"],
        "customer": customer["id"],
        "ended_at": None,
        "items": {
            "object": "list",
            "data": [
                {
                    "id": new_id("si_", 14),
                    "object": "subscription_item",
                    "created": now,
                    "current_period_end": until,
                    "current_period_start": now,
                    "metadata": {},
                    "price": item["price"],
                    "quantity": item["quantity"],
                    "subscription": subscription_id,
                }
            ],
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        },
        "latest_invoice": invoice_id,
        "livemode": False,
        "metadata": metadata,
        "start_date": now,
        "status": "active",
        "trial_end": None,
        "trial_start": None,
    }
    invoice = {
        "id": invoice_id,
        "object": "invoice",
        "amount_due": session["amount_total"],
        "amount_paid": session["amount_total"],
        "amount_remaining": 0,
        "attempt_count": 1,
        "attempted": True,
        "billing_reason": "subscription_create",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": session["currency"],
        "customer": customer["id"],
        "customer_email": customer["email"],
        "livemode": False,
        "metadata": {},
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": metadata, "subscription": subscription_id},
            "type": "subscription_details",
        },
        "payments": {
            "object": "list",
            "data": [
                {
                    "id": new_id("inpay_1"),
                    "object": "invoice_payment",
                    "amount_paid": session["amount_total"],
                    "amount_requested": session["amount_total"],
                    "created": now,
                    "currency": session["currency"],
                    "invoice": invoice_id,
                    "is_default": True,
                    "livemode": False,
                    "payment": {"payment_intent": intent_id, "type": "payment_intent"},
                    "status": "paid",
                    "status_transitions": {"canceled_at": None, "paid_at": now},
                }
            ],
            "has_more": False,
            "url": f"/v1/invoice_payments?invoice={invoice_id}",
        },
        "period_end": now,
        "period_start": now,
        "status": "paid",
        "status_transitions": {
            "finalized_at": now,
            "marked_uncollectible_at": None,
            "paid_at": now,
            "voided_at": None,
        },
        "subtotal": session["amount_total"],
        "total": session["amount_total"],
    }
    return customer, subscription, invoice
