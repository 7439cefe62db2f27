"""Stripe's objects as the stand-in makes them, with every documented field of the pinned API version.

Sources: https://docs.stripe.com/api/checkout/sessions/object, /api/payment_intents/object,
/api/charges/object, /api/balance_transactions/object, /api/events/object, /api/checkout/sessions/line_items.
"""

import secrets
import string
import time
from decimal import ROUND_HALF_UP, Decimal

from devstack.standins.server import Json
from devstack.standins.stripe_forms import StripeError, integer, invalid, missing

API_VERSION = "2026-10-28.endive"  # the version stripe-python 16 is generated for

_ALPHABET = string.ascii_letters + string.digits
_CARD = {"brand": "visa", "country": "US", "exp_month": 12, "exp_year": 2034, "funding": "credit"}
_NO_ADDRESS = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}
# https://docs.stripe.com/currencies#zero-decimal
_ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf"} | {"xof", "xpf"}
)
# https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-line_items-price_data-recurring
_LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}
_MINIMUM = 50  # cents; https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts


def new_id(prefix: str, length: int = 24) -> str:
    """Make an id in Stripe's style."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def format_amount(amount: int, currency: str) -> str:
    """Write an amount of the smallest unit for people."""
    places = 0 if currency in _ZERO_DECIMAL else 2
    return f"{Decimal(amount).scaleb(-places):,.{places}f} {currency.upper()}"


def processing_fee(amount: int) -> int:
    """Stripe's own fee: 2.9 % of the amount plus 30 of the smallest unit, rounded half up."""
    return int((Decimal(amount) * 29 / 1000).quantize(Decimal(1), ROUND_HALF_UP)) + 30


def line_items(params: Json) -> list[Json]:
    """Check and build the line items of a new Checkout Session."""
    given = params.get("line_items")
    if not isinstance(given, list) or not given:
        raise missing("line_items")
    items = [_line_item(item, f"line_items[{index}]") for index, item in enumerate(given)]
    if len({item["currency"] for item in items}) > 1:
        raise invalid("line_items", "All line items must have the same currency.")
    return items


def _line_item(given: object, param: str) -> Json:
    if not isinstance(given, dict):
        raise invalid(param, "Invalid object")
    data = given.get("price_data")
    if not isinstance(data, dict):
        if given.get("price"):
            message = f"No such price: '{given['price']}'"
            raise StripeError(message, code="resource_missing", param=f"{param}[price]")
        raise missing(f"{param}[price_data]")
    product = data.get("product_data")
    for name, present in (
        ("[price_data][currency]", bool(data.get("currency"))),
        ("[price_data][product_data][name]", isinstance(product, dict) and bool(product.get("name"))),
        ("[price_data][unit_amount]", bool(data.get("unit_amount"))),
        ("[quantity]", bool(given.get("quantity"))),
    ):
        if not present:
            raise missing(param + name)
    currency = str(data["currency"]).lower()
    if len(currency) != 3 or not currency.isalpha():
        raise invalid(f"{param}[price_data][currency]", f"Invalid currency: {currency}")
    unit_amount = integer(data["unit_amount"], f"{param}[price_data][unit_amount]")
    quantity = integer(given["quantity"], f"{param}[quantity]")
    if unit_amount < 0 or quantity < 1:
        raise invalid(param, "This value must be greater than or equal to 1.")
    return {
        "id": new_id("li_"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": unit_amount * quantity,
        "amount_tax": 0,
        "amount_total": unit_amount * quantity,
        "currency": currency,
        "description": str(product["name"]) if isinstance(product, dict) else None,
        "discounts": [],
        "metadata": given.get("metadata", {}),
        "price": _price(currency, unit_amount, _recurring(data.get("recurring"), f"{param}[price_data][recurring]")),
        "quantity": quantity,
        "taxes": [],
    }


def _recurring(given: object, param: str) -> Json | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not given.get("interval"):
        raise missing(f"{param}[interval]")
    interval = given["interval"]
    count = integer(given.get("interval_count", 1), f"{param}[interval_count]")
    if interval not in _LONGEST or not 1 <= count <= _LONGEST[interval]:
        raise invalid(param, "An interval is day, week, month or year, and at most three years long.")
    return {"interval": interval, "interval_count": count, "meter": None, "usage_type": "licensed"}


def _price(currency: str, unit_amount: int, recurring: Json | None) -> Json:
    return {
        "id": new_id("price_"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": int(time.time()),
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": new_id("prod_", 14),
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }


def checkout_session(params: Json, items: list[Json], origin: str, account: str | None) -> Json:
    """Check the parameters of, and build, a hosted Checkout Session in payment or subscription mode."""
    _check_session(params, account)
    _check_mode(params, items)
    total = sum(item["amount_total"] for item in items)
    currency = items[0]["currency"]
    if total < _MINIMUM and currency not in _ZERO_DECIMAL:
        message = f"The Checkout Session's total amount must convert to at least {_MINIMUM} cents."
        raise StripeError(message, code="amount_too_small", param="line_items")
    now = int(time.time())
    expires_at = integer(params.get("expires_at", now + 24 * 3600), "expires_at")
    if not now + 30 * 60 <= expires_at <= now + 24 * 3600:
        raise invalid("expires_at", "The `expires_at` timestamp must be 30 minutes to 24 hours from Checkout creation.")
    session_id = new_id("cs_test_a1", 56)
    return {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "allowed_payment_method_types": None,
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "branding_settings": None,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": params.get("customer"),
        "customer_account": None,
        "customer_creation": params.get("customer_creation", "if_required"),
        "customer_details": _customer_details(params.get("customer_email"), None),
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "excluded_payment_method_types": None,
        "expires_at": expires_at,
        "integration_identifier": params.get("integration_identifier"),
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": False,
        "locale": params.get("locale"),
        "managed_payments": None,
        "metadata": params.get("metadata", {}),
        "mode": params["mode"],
        "name_collection": None,
        "optional_items": None,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "presentment_details": None,
        "recovered_from": None,
        "redirect_on_completion": None,
        "return_url": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "tax_id_collection": {"enabled": False, "required": "never"},
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{origin}/pay/{session_id}",
        "wallet_options": None,
    }


def _check_session(params: Json, account: str | None) -> None:
    if params.get("mode") not in {"payment", "subscription"}:
        raise invalid("mode", "The stand-in knows Checkout Sessions in payment and subscription mode only.")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise invalid("ui_mode", "The stand-in knows hosted pages only.")
    if not params.get("success_url"):
        raise missing("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params and not str(params[name]).startswith(("http://", "https://")):
            raise StripeError("Not a valid URL", code="url_invalid", param=name)
    intent = params.get("payment_intent_data", {})
    if not isinstance(intent, dict):
        raise invalid("payment_intent_data", "Invalid object")
    _check_metadata(params.get("metadata", {}), "metadata")
    _check_metadata(intent.get("metadata", {}), "payment_intent_data[metadata]")
    if "application_fee_amount" in intent:
        param = "payment_intent_data[application_fee_amount]"
        if integer(intent["application_fee_amount"], param) < 0:
            raise invalid(param, "Invalid non-negative integer")
        if account is None and "transfer_data" not in intent:
            # https://docs.stripe.com/connect/direct-charges#collect-fees
            raise invalid(
                param,
                "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct"
                " payment (using an OAuth key or Stripe-Account header) or destination payment"
                " (using `transfer_data[destination]`).",
            )


def _check_mode(params: Json, items: list[Json]) -> None:
    """What belongs to the other mode is refused: https://docs.stripe.com/api/checkout/sessions/create."""
    subscribing = params["mode"] == "subscription"
    recurring = [item["price"]["recurring"] is not None for item in items]
    if subscribing and not any(recurring):
        raise invalid("mode", "You must provide at least one recurring price in `subscription` mode when using prices.")
    if not subscribing and any(recurring):
        raise invalid("mode", "You specified `payment` mode but passed a recurring price.")
    wrong = "payment_intent_data" if subscribing else "subscription_data"
    if wrong in params:
        raise invalid(wrong, f"You can not pass `{wrong}` in `{params['mode']}` mode.")
    data = params.get("subscription_data", {})
    if not isinstance(data, dict):
        raise invalid("subscription_data", "Invalid object")
    _check_metadata(data.get("metadata", {}), "subscription_data[metadata]")


def _check_metadata(metadata: object, param: str) -> None:
    """Apply the limits of https://docs.stripe.com/api/metadata."""
    if not isinstance(metadata, dict):
        raise invalid(param, "Invalid object")
    if len(metadata) > 50:
        raise invalid(param, "Metadata can have at most 50 keys.")
    for key, value in metadata.items():
        if len(key) > 40 or len(str(value)) > 500:
            raise invalid(f"{param}[{key[:40]}]", "Metadata keys are at most 40 characters, values at most 500.")


def _customer_details(email: str | None, name: str | None) -> Json | None:
    if email is None and name is None:
        return None
    return {
        "address": dict(_NO_ADDRESS) if name else None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if name else None,
    }


def complete_session(session: Json, payment_intent_id: str) -> None:
    """Turn an open session into a completed and paid one."""
    email = session["customer_email"] or "payer@example.com"
    session |= {
        "collected_information": {"business_name": None, "individual_name": None, "shipping_details": None},
        "customer_details": _customer_details(email, "Test Payer"),
        "payment_intent": payment_intent_id,
        "payment_status": "paid",
        "status": "complete",
        "url": None,
    }


def payment(session: Json, intent_data: Json, account: str | None) -> tuple[Json, Json, Json]:
    """Build the payment intent, charge and balance transaction of a session that is being paid."""
    intent_id, charge_id = new_id("pi_3"), new_id("ch_3")
    fee = intent_data.get("application_fee_amount")
    common: Json = {
        "amount": session["amount_total"],
        "application": "ca_standin" if account else None,
        "application_fee_amount": None if fee is None else int(fee),
        "created": int(time.time()),
        "currency": session["currency"],
        "customer": session["customer"],
        "description": intent_data.get("description"),
        "livemode": False,
        "metadata": intent_data.get("metadata", {}),
        "on_behalf_of": intent_data.get("on_behalf_of"),
        "payment_method": new_id("pm_1"),
        "presentment_details": None,
        "receipt_email": intent_data.get("receipt_email"),
        "review": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": intent_data.get("statement_descriptor"),
        "statement_descriptor_suffix": intent_data.get("statement_descriptor_suffix"),
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": intent_data.get("transfer_group"),
    }
    balance = _balance_transaction(common, charge_id)
    intent = _payment_intent(common, intent_id, charge_id)
    return intent, _charge(common, charge_id, intent_id, balance["id"], session), balance


def _payment_intent(common: Json, intent_id: str, charge_id: str) -> Json:
    return {
        **common,
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": common["amount"],
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{new_id('', 25)}",
        "confirmation_method": "automatic",
        "customer_account": None,
        "excluded_payment_method_types": None,
        "hooks": None,
        "last_payment_error": None,
        "latest_charge": charge_id,
        "managed_payments": None,
        "next_action": None,
        "payment_details": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_record": None,
        "processing": None,
        "setup_future_usage": None,
    }


def _charge(common: Json, charge_id: str, intent_id: str, balance_id: str, session: Json) -> Json:
    details = session["customer_details"] or {}
    return {
        **common,
        "id": charge_id,
        "object": "charge",
        "amount_captured": common["amount"],
        "amount_refunded": 0,
        "application_fee": new_id("fee_1") if common["application_fee_amount"] else None,
        "authorization_code": None,
        "balance_transaction": balance_id,
        "billing_details": {
            "address": dict(_NO_ADDRESS),
            "email": details.get("email"),
            "name": details.get("name"),
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "STAND-IN",
        "captured": True,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "level3": None,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 1,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": intent_id,
        "payment_method_details": {
            "card": {**_CARD, "last4": "4242", "network": "visa", "three_d_secure": None, "wallet": None},
            "type": "card",
        },
        "radar_options": {},
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "source_transfer": None,
        "transfer": None,
    }


def _balance_transaction(common: Json, charge_id: str) -> Json:
    own, application = processing_fee(common["amount"]), common["application_fee_amount"] or 0
    currency = common["currency"]
    details = [
        {
            "amount": own,
            "application": None,
            "currency": currency,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    if application:
        details.append(
            {
                "amount": application,
                "application": common["application"],
                "currency": currency,
                "description": "Application fee",
                "type": "application_fee",
            }
        )
    return {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": common["amount"],
        "available_on": common["created"] + 2 * 24 * 3600,
        "balance_type": "payments",
        "created": common["created"],
        "currency": currency,
        "description": common["description"],
        "exchange_rate": None,
        "fee": own + application,
        "fee_details": details,
        "net": common["amount"] - own - application,
        "reporting_category": "charge",
        "source": charge_id,
        "status": "pending",
        "type": "charge",
    }


def event(kind: str, data_object: Json, account: str | None, request_id: str | None) -> Json:
    """Build an Event; `account` appears only on events of connected accounts, as Stripe does it.

    https://docs.stripe.com/api/events/object, https://docs.stripe.com/connect/webhooks
    """
    built = {
        "id": new_id("evt_1"),
        "object": "event",
        "api_version": API_VERSION,
        "context": None,
        "created": int(time.time()),
        "data": {"object": data_object},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": request_id, "idempotency_key": None},
        "type": kind,
    }
    return built if account is None else {**built, "account": account}
