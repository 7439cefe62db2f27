"""Stripe's connected accounts, the links that open them, and the customers' own billing page.

Sources: https://docs.stripe.com/api/accounts/object, /api/account_links, /api/customer_portal/sessions.
"""

import time

from devstack.standins.server import Json
from devstack.standins.stripe_forms import invalid, missing
from devstack.standins.stripe_objects import new_id

_TYPES = {"standard", "express", "custom"}
_LINK_TYPES = {"account_onboarding", "account_update"}


def connected_account(params: Json) -> Json:
    """Check the parameters of, and build, a connected account that has told Stripe nothing yet."""
    kind = params.get("type", "standard")
    if kind not in _TYPES:
        raise invalid("type", f"Invalid type: must be one of {', '.join(sorted(_TYPES))}")
    return {
        "id": new_id("acct_1", 15),
        "object": "account",
        "business_profile": None,
        "business_type": None,
        "capabilities": {},
        "charges_enabled": False,
        "country": params.get("country", "AU"),
        "created": int(time.time()),
        "default_currency": "aud",
        "details_submitted": False,
        "email": params.get("email"),
        "metadata": params.get("metadata", {}),
        "payouts_enabled": False,
        "type": kind,
    }


def onboard(account: Json) -> None:
    """Let the account's owner have told Stripe everything."""
    account |= {"charges_enabled": True, "details_submitted": True, "payouts_enabled": True}
    account["capabilities"] = {"card_payments": "active", "transfers": "active"}


def account_link(params: Json, origin: str) -> Json:
    """Check the parameters of, and build, the address at which an account's owner tells Stripe who they are."""
    for name in ("account", "type"):
        if not params.get(name):
            raise missing(name)
    if params["type"] not in _LINK_TYPES:
        raise invalid("type", f"Invalid type: must be one of {', '.join(sorted(_LINK_TYPES))}")
    _check_urls(params, "refresh_url", "return_url")
    now = int(time.time())
    return {
        "object": "account_link",
        "created": now,
        "expires_at": now + 300,
        "url": f"{origin}/connect/{params['account']}",
    }


def portal_session(params: Json, origin: str) -> Json:
    """Check the parameters of, and build, a session of the customer portal."""
    if "return_url" in params:
        _check_urls(params, "return_url")
    session_id = new_id("bps_1")
    return {
        "id": session_id,
        "object": "billing_portal.session",
        "configuration": "bpc_standin",
        "created": int(time.time()),
        "customer": params["customer"],
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": params.get("on_behalf_of"),
        "return_url": params.get("return_url"),
        "url": f"{origin}/billing/{session_id}",
    }


def _check_urls(params: Json, *names: str) -> None:
    for name in names:
        if not params.get(name):
            raise missing(name)
        if not str(params[name]).startswith(("http://", "https://")):
            raise invalid(name, "Not a valid URL")
