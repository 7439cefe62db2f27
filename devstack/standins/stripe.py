"""A local stand-in for Stripe's API and Checkout, reached by stripe-python through `base_addresses`.

Speaks Checkout Sessions, what a paid one leaves behind (payment intent, charge, balance transaction, application fee;
customer, subscription, invoice), refunds, payouts, connected accounts with their onboarding, the customer portal,
lists of all that moves money, and events with signed webhooks; Connect's Stripe-Account header keeps accounts apart.
Rules and shapes:
https://docs.stripe.com/api, https://docs.stripe.com/api/idempotent_requests,
https://docs.stripe.com/webhooks#verify-manually and https://docs.stripe.com/connect/authentication.
"""

import copy
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import click
from aiohttp import web
from stripe import RequestOptions
from stripe.params import AccountCreateParams, AccountLinkCreateParams, RefundCreateParams
from stripe.params.billing_portal import SessionCreateParams as PortalSessionCreateParams
from stripe.params.checkout import SessionCreateParams

from devstack.standins.faults import Fault, Faults
from devstack.standins.pages import Payment, button_page, message_page, payment_page
from devstack.standins.server import (
    Caller,
    Json,
    add_control_routes,
    bad_request,
    basic_credentials,
    json_response,
    read_json,
    serve,
)
from devstack.standins.stripe_account_objects import account_link, connected_account, onboard, portal_session
from devstack.standins.stripe_events import Events, StoredEvent, sign_event
from devstack.standins.stripe_forms import StripeError, decode_form, expand
from devstack.standins.stripe_lists import LISTED, page
from devstack.standins.stripe_objects import (
    API_VERSION,
    checkout_session,
    complete_session,
    event,
    format_amount,
    line_items,
    new_id,
    payment,
)
from devstack.standins.stripe_payment_objects import (
    application_fee,
    check_fee_percent,
    note_refund,
    refund,
    subscribed,
)
from devstack.standins.stripe_platform_objects import fee_of, payout_of, refund_fee

__all__ = ["API_VERSION", "StripeConfig", "create_stripe_app", "sign_event"]

# What the pinned version's own client may send; Stripe refuses every other name.
_OPTIONS = frozenset(RequestOptions.__annotations__)
_SESSION_PARAMS = frozenset(SessionCreateParams.__annotations__) - _OPTIONS
_REFUND_PARAMS = frozenset(RefundCreateParams.__annotations__) - _OPTIONS
_ACCOUNT_PARAMS = frozenset(AccountCreateParams.__annotations__) - _OPTIONS
_ACCOUNT_LINK_PARAMS = frozenset(AccountLinkCreateParams.__annotations__) - _OPTIONS
_PORTAL_PARAMS = frozenset(PortalSessionCreateParams.__annotations__) - _OPTIONS
_MAX_DELIVERIES = 100
_REQUEST_ID = web.RequestKey("request_id", str)
_NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header,"
    " using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)


@dataclass(frozen=True, slots=True)
class StripeConfig:
    """Settings of the stand-in; events go to `{public_url}/webhooks/stripe`, signed with `webhook_secret`."""

    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    public_url: str
    webhook_timeout_s: float = 10.0


@dataclass(slots=True)
class _Sold:
    """A Checkout Session with what belongs to it but is not part of the object."""

    session: Json
    line_items: list[Json]
    data: Json  # payment_intent_data or subscription_data
    account: str | None
    event: StoredEvent | None = None
    later: list[StoredEvent] = field(default_factory=list)


_Draft = tuple[Json, Callable[[], None]]
"""What a creating call answers, and what has to be kept for it to have happened."""
_Build = Callable[[web.Request, Json, str | None], _Draft]


@dataclass(slots=True)
class _Saved:
    """The first answer to an idempotency key, and the parameters it was an answer to."""

    params: Json
    body: Json
    request_id: str


def create_stripe_app(config: StripeConfig) -> web.Application:
    """Build one stand-in with its own, empty memory."""
    standin = _Stripe(config)
    app = web.Application(middlewares=[standin.guard])
    add_control_routes(app, standin.faults, standin.caller, standin.clear)
    app.router.add_post("/v1/checkout/sessions", standin.create_session)
    app.router.add_get("/v1/checkout/sessions/{id}", standin.fetch)
    app.router.add_get("/v1/payment_intents/{id}", standin.fetch)
    app.router.add_get("/v1/charges/{id}", standin.fetch)
    app.router.add_get("/v1/balance_transactions/{id}", standin.fetch)
    app.router.add_post("/v1/refunds", standin.create_refund)
    app.router.add_post("/v1/accounts", standin.create_account)
    app.router.add_post("/v1/account_links", standin.create_account_link)
    app.router.add_post("/v1/billing_portal/sessions", standin.create_portal_session)
    for collection in (
        "refunds",
        "accounts",
        "customers",
        "subscriptions",
        "invoices",
        "payouts",
        "disputes",
        "application_fees",
    ):
        app.router.add_get(f"/v1/{collection}/{{id}}", standin.fetch)
    for collection in LISTED:
        app.router.add_get(f"/v1/{collection}", standin.list_objects)
    app.router.add_get("/v1/events", standin.list_events)
    app.router.add_get("/v1/events/{id}", standin.fetch_event)
    app.router.add_get("/pay/{id}", standin.show_payment)
    app.router.add_post("/pay/{id}", standin.submit_payment)
    app.router.add_get("/connect/{id}", standin.show_onboarding)
    app.router.add_post("/connect/{id}", standin.submit_onboarding)
    app.router.add_get("/billing/{id}", standin.show_billing)
    app.router.add_post("/_control/pay", standin.control_pay)
    app.router.add_post("/_control/onboard", standin.control_onboard)
    app.router.add_post("/_control/emit", standin.control_emit)
    app.router.add_post("/_control/keep", standin.control_keep)
    app.router.add_post("/_control/payout", standin.control_payout)
    app.router.add_post("/_control/revoke", standin.control_revoke)
    app.router.add_post("/_control/deliver", standin.control_deliver)
    app.router.add_get("/_control/events", standin.control_events)
    return app


class _Stripe:
    """The memory and the handlers of one stand-in."""

    def __init__(self, config: StripeConfig) -> None:
        self.config = config
        self.faults = Faults()
        self.caller = Caller(config.public_url, config.webhook_timeout_s)
        self.events = Events(self.caller, config.webhook_secret)
        self._sold: dict[str, _Sold] = {}
        self._objects: dict[str, Json] = {}
        self._owners: dict[str, str | None] = {}
        self._saved: dict[tuple[str | None, str], _Saved] = {}
        self._return_urls: dict[str, str] = {}
        self._paid_out: dict[str, str] = {}
        self._revoked: set[str] = set()

    def clear(self) -> None:
        """Forget everything."""
        for memory in (
            self._sold, self._objects, self._owners, self._saved, self._return_urls, self._paid_out, self._revoked,
        ):  # fmt: skip
            memory.clear()
        self.events.clear()

    # The API

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Check key and version of API calls, write errors as Stripe does, and number the requests."""
        if not request.path.startswith("/v1/"):
            return await handler(request)
        request_id = new_id("req_", 14)
        request[_REQUEST_ID] = request_id
        try:
            self._authenticate(request)
            response = await handler(request)
            if request.method == "GET" and isinstance(response, web.Response):
                response = await self.faults.answer_reading(request, response, _injected)
        except StripeError as error:
            response = json_response(error.body, error.status)
        except web.HTTPNotFound:
            message = f"Unrecognized request URL ({request.method}: {request.path})."
            response = json_response(StripeError(message).body, 404)
        if not response.prepared:
            response.headers["Request-Id"] = request_id
            response.headers["Stripe-Version"] = API_VERSION
        return response

    def _authenticate(self, request: web.Request) -> None:
        header = request.headers.get("Authorization", "")
        # The key comes as a bearer token, or as the user of basic authentication (as curl -u sends it).
        bearer = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
        key = bearer or basic_credentials(request)[0]
        if not key:
            raise StripeError(_NO_KEY, status=401)
        if not hmac.compare_digest(key.encode(), self.config.secret_key.encode()):
            raise StripeError(f"Invalid API Key provided: {key[:7]}****", status=401)
        version = request.headers.get("Stripe-Version", API_VERSION)
        if version != API_VERSION:
            raise StripeError(f"The stand-in speaks API version {API_VERSION} only, not {version}.")
        account = request.headers.get("Stripe-Account")
        if account in self._revoked:
            raise _no_access(account)

    async def _create(self, request: web.Request, known: frozenset[str], build: _Build) -> web.Response:
        """Create something once per idempotency key, or show a fault instead.

        What fails the checks is not saved under the key: it never began.
        https://docs.stripe.com/api/idempotent_requests
        """
        params = decode_form(await request.text())
        account, key = _account(request), request.headers.get("Idempotency-Key")
        if key is not None and len(key) > 255:
            raise StripeError("Idempotency keys are at most 255 characters long.", kind="idempotency_error")
        asked = {"path": request.path, "params": params}
        saved = self._saved.get((account, key)) if key else None
        if saved is not None:
            if saved.params != asked:
                raise StripeError(
                    "Keys for idempotent requests can only be used with the same parameters they were first"
                    f" used with. Try using a key other than '{key}' if you meant to execute a different"
                    " request.",
                    kind="idempotency_error",
                )
            return await self.faults.answer(request, partial(_replay, saved, key or ""), _injected)
        for name in params:
            if name not in known:
                message = f"Received unknown parameter: {name}"
                raise StripeError(message, code="parameter_unknown", param=name)
        body, keep = build(request, params, account)

        def create() -> web.Response:
            keep()
            if key:
                # Recording and saving happen in one step, so no second request can find the first one
                # half done (Stripe's 409): a late answer is late on its way back.
                self._saved[account, key] = _Saved(asked, body, request[_REQUEST_ID])
            return json_response(body, headers={"Idempotency-Key": key} if key else None)

        return await self.faults.answer(request, create, _injected)

    def _keep(self, made: Json, account: str | None) -> None:
        self._objects[made["id"]] = made
        self._owners[made["id"]] = account

    def _find(self, kind: str, identifier: object, account: str | None, param: str) -> Json:
        """Something of the account's that a parameter names."""
        found = self._objects.get(str(identifier))
        if found is None or found["object"] != kind or self._owners[found["id"]] != account:
            message = f"No such {kind}: '{identifier}'"
            raise StripeError(message, status=404, code="resource_missing", param=param)
        return found

    async def create_session(self, request: web.Request) -> web.Response:
        """Create a Checkout Session."""
        return await self._create(request, _SESSION_PARAMS, self._draft_session)

    def _draft_session(self, request: web.Request, params: Json, account: str | None) -> _Draft:
        items = line_items(params)
        session = checkout_session(params, items, _origin(request), account)
        data = params.get("payment_intent_data", {}) | params.get("subscription_data", {})
        check_fee_percent(data, account)
        sold = _Sold(session, items, data, account)

        def keep() -> None:
            self._sold[session["id"]] = sold
            self._keep(session, account)

        return self._expanded(session, _expand_paths(params), items), keep

    async def create_refund(self, request: web.Request) -> web.Response:
        """Refund a payment, or part of it; `refund.created` and `charge.refunded` follow."""
        return await self._create(request, _REFUND_PARAMS, self._draft_refund)

    def _draft_refund(self, request: web.Request, params: Json, account: str | None) -> _Draft:
        if not params.get("payment_intent") and not params.get("charge"):
            message = "One of the following params should be provided for this request: payment_intent or charge."
            raise StripeError(message, code="parameter_missing", param="payment_intent")
        if params.get("charge"):
            charge = self._find("charge", params["charge"], account, "charge")
        else:
            intent = self._find("payment_intent", params["payment_intent"], account, "payment_intent")
            charge = self._objects[intent["latest_charge"]]
        made, balance = refund(params, charge)

        def keep() -> None:
            note_refund(charge, made["amount"])
            for kept in (made, balance):
                self._keep(kept, account)
            for kind, about in (("refund.created", made), ("charge.refunded", charge)):
                self._announce(kind, about, account, request[_REQUEST_ID])
            fee = self._objects.get(charge["application_fee"])
            if fee is not None and params.get("refund_application_fee") == "true":
                for kept in refund_fee(fee, charge):
                    self._keep(kept, None)
                self._announce("application_fee.refunded", fee, None, None)

        return made, keep

    async def create_account(self, request: web.Request) -> web.Response:
        """Create a connected account of the platform's."""
        return await self._create(request, _ACCOUNT_PARAMS, self._draft_account)

    def _draft_account(self, _request: web.Request, params: Json, _account: str | None) -> _Draft:
        made = connected_account(params)
        return copy.deepcopy(made), partial(self._keep, made, None)

    async def create_account_link(self, request: web.Request) -> web.Response:
        """Create the address at which an account's owner tells Stripe who they are."""
        return await self._create(request, _ACCOUNT_LINK_PARAMS, self._draft_account_link)

    def _draft_account_link(self, request: web.Request, params: Json, account: str | None) -> _Draft:
        made = account_link(params, _origin(request))
        connected = self._find("account", params["account"], account, "account")

        def keep() -> None:
            self._return_urls[connected["id"]] = str(params["return_url"])

        return made, keep

    async def create_portal_session(self, request: web.Request) -> web.Response:
        """Create a session of the customer portal."""
        return await self._create(request, _PORTAL_PARAMS, self._draft_portal_session)

    def _draft_portal_session(self, request: web.Request, params: Json, account: str | None) -> _Draft:
        self._find("customer", params.get("customer"), account, "customer")
        made = portal_session(params, _origin(request))
        return made, partial(self._keep, made, account)

    def _announce(self, kind: str, about: Json, account: str | None, request_id: str | None) -> StoredEvent:
        """Keep an event and send it without letting whoever caused it wait."""
        stored = self.events.add(event(kind, copy.deepcopy(about), account, request_id))
        self.caller.in_background(self._deliver(stored))
        return stored

    async def _deliver(self, stored: StoredEvent) -> None:
        await self.events.deliver(stored)

    async def fetch(self, request: web.Request) -> web.Response:
        """Fetch a session or one of the objects of a payment."""
        found = self._objects.get(request.match_info["id"])
        collection = request.path.split("/")[-2].removesuffix("s")
        kind = "checkout.session" if collection == "session" else collection
        if found is None or found["object"] != kind or self._owners.get(request.match_info["id"]) != _account(request):
            raise _no_such(kind, request.match_info["id"])
        sold = self._sold.get(found["id"])
        paths = _expand_paths(decode_form(request.query_string))
        return json_response(self._expanded(found, paths, sold.line_items if sold else None))

    def _expanded(self, resource: Json, paths: list[str], items: list[Json] | None) -> Json:
        if "line_items" in paths and items is not None:
            # Line items are not part of the object unless asked for.
            url = f"/v1/checkout/sessions/{resource['id']}/line_items"
            listed = {"object": "list", "data": items, "has_more": False, "url": url}
            resource = {**resource, "line_items": listed}
        return expand(resource, paths, self._objects.get)

    async def list_events(self, request: web.Request) -> web.Response:
        """List the account's events, newest first."""
        return json_response(self.events.page(decode_form(request.query_string), _account(request)))

    async def list_objects(self, request: web.Request) -> web.Response:
        """List the account's objects of a kind, newest first."""
        collection, account = request.path.split("/")[-1], _account(request)
        params = decode_form(request.query_string)
        kind = collection.removesuffix("s")
        found = [made for made in self._objects.values() if made["object"] == kind]
        found = [made for made in found if self._owners[made["id"]] == account]
        if kind == "balance_transaction" and "payout" in params:
            payout = self._find("payout", params.pop("payout"), account, "payout")
            if not payout["automatic"]:
                message = "Balance transaction history can only be filtered on automatic transfers, not manual."
                raise StripeError(message, param="payout")
            found = [made for made in found if self._paid_out.get(made["id"]) == payout["id"]]
        listed = page(collection, found, params)
        paths = [path.removeprefix("data.") for path in _expand_paths(params)]
        listed["data"] = [expand(made, paths, self._objects.get) for made in listed["data"]]
        return json_response(listed)

    async def fetch_event(self, request: web.Request) -> web.Response:
        """Fetch one event."""
        stored = self.events.get(request.match_info["id"])
        if stored is None or stored.account != _account(request):
            raise _no_such("event", request.match_info["id"])
        return json_response(stored.event)

    # Paying

    async def show_payment(self, request: web.Request) -> web.Response:
        """Show the page a session's `url` points at."""
        sold = self._sold.get(request.match_info["id"])
        if sold is None:
            text = message_page("Not found", "There is no such checkout, or the stand-in was restarted.")
            return web.Response(text=text, status=404, content_type="text/html")
        session, currency = sold.session, sold.session["currency"]
        lines = [
            (f"{item['description']} × {item['quantity']}", format_amount(item["amount_total"], currency))  # noqa: RUF001
            for item in sold.line_items
        ]
        total = format_amount(session["amount_total"], currency)
        open_ = session["status"] == "open"
        page = payment_page(Payment(session["id"], lines, total, open_, session["cancel_url"]))
        return web.Response(text=page, content_type="text/html")

    async def submit_payment(self, request: web.Request) -> web.Response:
        """Pay, tell the webhook, and go to the success page.

        Checkout waits for the webhook's answer, up to its timeout, before it redirects:
        https://docs.stripe.com/checkout/fulfillment. Paying twice pays once.
        """
        sold = self._sold.get(request.match_info["id"])
        if sold is None:
            raise web.HTTPSeeOther(request.path)
        if sold.event is None:
            await self.events.deliver(self._pay(sold))
            for stored in sold.later:
                await self.events.deliver(stored)
        # As text, not as a parsed URL: Stripe keeps the given URL and only fills in the id.
        location = sold.session["success_url"].replace("{CHECKOUT_SESSION_ID}", sold.session["id"])
        return web.Response(status=303, headers={"Location": location})

    def _pay(self, sold: _Sold) -> StoredEvent:
        session, data = sold.session, sold.data
        if session["mode"] == "subscription":
            fee = application_fee(data.get("application_fee_percent"), session["amount_total"])
            data = {} if fee is None else {"application_fee_amount": fee}
        intent, charge, balance = payment(session, data, sold.account)
        for made in (intent, charge, balance):
            self._keep(made, sold.account)
        if charge["application_fee"] and sold.account:
            self._keep(fee_of(charge, sold.account), None)
        complete_session(session, intent["id"])
        following: list[tuple[str, Json]] = []
        if session["mode"] == "subscription":
            customer, subscription, invoice = subscribed(session, sold.line_items[0], sold.data, intent["id"])
            for made in (customer, subscription, invoice):
                self._keep(made, sold.account)
            # The invoice holds the payment: https://docs.stripe.com/api/checkout/sessions/object
            session |= {"customer": customer["id"], "invoice": invoice["id"], "payment_intent": None}
            session["subscription"] = subscription["id"]
            following = [("customer.subscription.created", subscription), ("invoice.paid", invoice)]
        # The payer's browser caused it, no API request did: `request.id` is null.
        events = [
            self.events.add(event(kind, copy.deepcopy(about), sold.account, None))
            for kind, about in [("checkout.session.completed", session), *following]
        ]
        sold.event, sold.later = events[0], events[1:]
        return sold.event

    # Connect and the customer portal

    async def show_onboarding(self, request: web.Request) -> web.Response:
        """Show the page an account link points at."""
        account = self._objects.get(request.match_info["id"])
        if account is None or account["object"] != "account":
            text = message_page("Not found", "There is no such account, or the stand-in was restarted.")
            return web.Response(text=text, status=404, content_type="text/html")
        page = button_page("Connect", "Stripe would ask for the business's details here.", "All told")
        return web.Response(text=page, content_type="text/html")

    async def submit_onboarding(self, request: web.Request) -> web.Response:
        """Have everything told, tell the webhook, and go back."""
        account = self._objects.get(request.match_info["id"])
        if account is None or account["object"] != "account":
            raise web.HTTPSeeOther(request.path)
        await self.events.deliver(self._onboarded(account))
        return web.Response(status=303, headers={"Location": self._return_urls[account["id"]]})

    def _onboarded(self, account: Json) -> StoredEvent:
        onboard(account)
        return self.events.add(event("account.updated", copy.deepcopy(account), account["id"], None))

    async def show_billing(self, _request: web.Request) -> web.Response:
        """Show the page a portal session points at."""
        page = message_page("Billing", "Stripe would show the customer's subscriptions and cards here.")
        return web.Response(text=page, content_type="text/html")

    # Control

    async def control_pay(self, request: web.Request) -> web.Response:
        """Pay without a browser: {session_id, delivery: "now" | "none"} gives {event_id, deliveries}."""
        data = await read_json(request)
        deliver_now = _delivery(data)
        sold = self._sold.get(str(data.get("session_id")))
        if sold is None:
            raise bad_request("there is no such session")
        if sold.event is not None:
            return json_response({"error": "already paid", "event_id": sold.event.event["id"]}, 409)
        paid = await self._emitted(self._pay(sold), deliver_now=deliver_now)
        for stored in sold.later:
            if deliver_now:
                await self.events.deliver(stored)
        return paid

    async def control_onboard(self, request: web.Request) -> web.Response:
        """Have an account told everything: {account, delivery?} gives {event_id, deliveries}."""
        data = await read_json(request)
        deliver_now = _delivery(data)
        account = self._objects.get(str(data.get("account")))
        if account is None or account["object"] != "account":
            raise bad_request("there is no such account")
        return await self._emitted(self._onboarded(account), deliver_now=deliver_now)

    async def control_emit(self, request: web.Request) -> web.Response:
        """Make any other event: {type, object, account?, delivery?} gives {event_id, deliveries}."""
        data = await read_json(request)
        deliver_now = _delivery(data)
        kind, data_object, account = data.get("type"), data.get("object"), data.get("account")
        if not isinstance(kind, str) or not isinstance(data_object, dict):
            raise bad_request("type (text) and object (an object) are needed")
        made = event(kind, data_object, None if account is None else str(account), None)
        return await self._emitted(self.events.add(made), deliver_now=deliver_now)

    async def control_keep(self, request: web.Request) -> web.Response:
        """Keep an object made elsewhere, for the API to show: {object, account?} gives {id}."""
        data = await read_json(request)
        kept, account = data.get("object"), data.get("account")
        if not isinstance(kept, dict) or not isinstance(kept.get("id"), str) or "object" not in kept:
            raise bad_request("object (an object with id and object) is needed")
        self._objects[kept["id"]] = kept
        self._owners[kept["id"]] = None if account is None else str(account)
        return json_response({"id": kept["id"]})

    async def control_payout(self, request: web.Request) -> web.Response:
        """Pay out what an account has: {account, automatic?, delivery?} gives {payout_id, event_id, deliveries}."""
        data = await read_json(request)
        deliver_now, account = _delivery(data), str(data.get("account"))
        parts = [
            made
            for made in self._objects.values()
            if made["object"] == "balance_transaction"
            and self._owners[made["id"]] == account
            and made["id"] not in self._paid_out
        ]
        if not parts:
            raise bad_request("there is nothing to pay out")
        made, balance = payout_of(parts, parts[0]["currency"], automatic=bool(data.get("automatic", True)))
        for kept in (made, balance):
            self._keep(kept, account)
        self._paid_out |= {part["id"]: made["id"] for part in (*parts, balance)}
        stored = self.events.add(event("payout.paid", copy.deepcopy(made), account, None))
        deliveries = await self.events.deliver(stored) if deliver_now else []
        told = {"payout_id": made["id"], "event_id": stored.event["id"], "deliveries": deliveries}
        return json_response(told)

    async def control_revoke(self, request: web.Request) -> web.Response:
        """Take the platform's access to an account away, or give it back: {account, revoked?}."""
        data = await read_json(request)
        account, revoked = str(data.get("account")), bool(data.get("revoked", True))
        (self._revoked.add if revoked else self._revoked.discard)(account)
        return json_response({"account": account, "revoked": revoked})

    async def _emitted(self, stored: StoredEvent, *, deliver_now: bool) -> web.Response:
        deliveries = await self.events.deliver(stored) if deliver_now else []
        return json_response({"event_id": stored.event["id"], "deliveries": deliveries})

    async def control_deliver(self, request: web.Request) -> web.Response:
        """Send an event again: {event_id, times?, parallel?} gives {event_id, statuses, deliveries}."""
        data = await read_json(request)
        stored, times = self.events.get(data.get("event_id")), data.get("times", 1)
        if stored is None:
            raise bad_request("there is no such event")
        if not isinstance(times, int) or not 1 <= times <= _MAX_DELIVERIES:
            raise bad_request(f"times is a whole number from 1 to {_MAX_DELIVERIES}")
        deliveries = await self.events.deliver(stored, times, parallel=bool(data.get("parallel")))
        statuses = [delivery["status"] for delivery in deliveries]
        return json_response({"event_id": stored.event["id"], "statuses": statuses, "deliveries": deliveries})

    async def control_events(self, _request: web.Request) -> web.Response:
        """List every event of every account with its deliveries, newest last."""
        return json_response([{"event": stored.event, "deliveries": stored.deliveries} for stored in self.events.all()])


def _replay(saved: _Saved, key: str) -> web.Response:
    headers = {
        "Idempotency-Key": key,
        "Idempotent-Replayed": "true",
        "Original-Request": saved.request_id,
    }
    return json_response(saved.body, headers=headers)


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _account(request: web.Request) -> str | None:
    account = request.headers.get("Stripe-Account")
    if account is not None and not account.startswith("acct_"):
        raise _no_access(account)
    return account


def _no_access(account: str) -> StripeError:
    message = (
        f"The provided key 'sk_test_***' does not have access to account '{account}' (or that account does not exist)."
        " Application access may have been revoked."
    )
    return StripeError(message, status=403, code="account_invalid")


def _no_such(kind: str, identifier: str) -> StripeError:
    return StripeError(f"No such {kind}: '{identifier}'", status=404, code="resource_missing", param="id")


def _expand_paths(params: Mapping[str, object]) -> list[str]:
    paths = params.get("expand", [])
    return [str(path) for path in paths] if isinstance(paths, list) else []


def _delivery(data: Json) -> bool:
    delivery = data.get("delivery", "now")
    if delivery not in {"now", "none"}:
        raise bad_request('delivery is "now" or "none"')
    return bool(delivery == "now")


def _injected(fault: Fault) -> web.Response:
    """Write an injected error: https://docs.stripe.com/error-handling, https://docs.stripe.com/rate-limits.

    It stands for a refusal before anything began, so (unlike a 500 from inside an endpoint) it is not
    saved under the idempotency key.
    """
    if fault.status == 429:
        message = "Request rate limit exceeded."
        error = StripeError(message, status=429, code=fault.code or "rate_limit")
        headers = {"Retry-After": str(fault.retry_after_s or 1), "Stripe-Rate-Limited-Reason": "global-rate"}
        return json_response(error.body, 429, headers)
    if fault.status == 402:
        error = StripeError("Your card was declined.", kind="card_error", code=fault.code or "card_declined")
    elif fault.status >= 500:
        error = StripeError("An unknown error occurred.", kind="api_error", code=fault.code)
    else:
        error = StripeError("The request was refused.", code=fault.code)
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    return json_response(error.body, fault.status, headers)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Port on 127.0.0.1.")
@click.option("--secret-key", envvar="STRIPE_SECRET_KEY", show_envvar=True, required=True)
@click.option("--webhook-secret", envvar="STRIPE_WEBHOOK_SECRET", show_envvar=True, required=True)
@click.option("--public-url", envvar="PUBLIC_URL", show_envvar=True, required=True, help="Where webhooks go.")
def main(port: int, secret_key: str, webhook_secret: str, public_url: str) -> None:
    """Run the local stand-in for Stripe."""
    serve("Stripe", create_stripe_app(StripeConfig(secret_key, webhook_secret, public_url)), port)


if __name__ == "__main__":
    main()
