"""Stripe's events: kept in order, signed, delivered as often as asked."""

import asyncio
import hashlib
import hmac
import json
import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devstack.standins.server import Caller, Json
from devstack.standins.stripe_forms import StripeError, integer

_CREATED: dict[str, Callable[[int, int], bool]] = {
    "created[gt]": operator.gt,
    "created[gte]": operator.ge,
    "created[lt]": operator.lt,
    "created[lte]": operator.le,
}


def sign_event(payload: bytes, secret: str, at: int) -> str:
    """Give the Stripe-Signature header for `payload` signed at the Unix time `at`.

    HMAC-SHA256 over `{at}.{payload}`, hex: https://docs.stripe.com/webhooks#verify-manually
    """
    signed = f"{at}.".encode() + payload
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(slots=True)
class StoredEvent:
    """An event with the exact bytes every delivery of it sends, and what came of the deliveries."""

    event: Json
    payload: bytes
    deliveries: list[Json] = field(default_factory=list)

    @property
    def account(self) -> str | None:
        """The connected account the event belongs to, if any."""
        account: str | None = self.event.get("account")
        return account


@dataclass(slots=True)
class Events:
    """All events, oldest first."""

    caller: Caller
    secret: str
    _stored: dict[str, StoredEvent] = field(default_factory=dict)

    def add(self, event: Json) -> StoredEvent:
        """Keep an event; nothing is sent yet."""
        # Stripe's bodies are indented; a receiver must verify the bytes, not a re-encoded object.
        stored = StoredEvent(event, json.dumps(event, indent=2).encode())
        self._stored[event["id"]] = stored
        return stored

    def get(self, event_id: object) -> StoredEvent | None:
        """Find one by its id."""
        return self._stored.get(str(event_id))

    def all(self) -> list[StoredEvent]:
        """Everything, oldest first."""
        return list(self._stored.values())

    def clear(self) -> None:
        """Forget everything."""
        self._stored.clear()

    async def deliver(self, stored: StoredEvent, times: int = 1, *, parallel: bool = False) -> list[Json]:
        """Send the same body `times` times, each with its own time and signature; gives the outcomes.

        A delivery that fails is not repeated on its own, unlike Stripe's, which go on for days.
        """
        if parallel:
            return list(await asyncio.gather(*(self._deliver_once(stored) for _ in range(times))))
        return [await self._deliver_once(stored) for _ in range(times)]

    async def _deliver_once(self, stored: StoredEvent) -> Json:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign_event(stored.payload, self.secret, int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        answer = await self.caller.post(f"{self.caller.public_url}/webhooks/stripe", stored.payload, headers)
        if answer.accepted:
            # What the API shows afterwards; the delivered bytes stay as they were.
            stored.event["pending_webhooks"] = 0
        outcome = answer.summary()
        stored.deliveries.append(outcome)
        return outcome

    def page(self, query: Mapping[str, str], account: str | None) -> Json:
        """List an account's events, newest first: https://docs.stripe.com/api/events/list."""
        found = [stored.event for stored in reversed(self.all()) if stored.account == account]
        if "type" in query:
            found = [event for event in found if event["type"] == query["type"]]
        for name, keep in _CREATED.items():
            if name in query:
                bound = integer(query[name], name)
                found = [event for event in found if keep(event["created"], bound)]
        if "starting_after" in query:
            ids = [event["id"] for event in found]
            if query["starting_after"] not in ids:
                message = f"No such event: '{query['starting_after']}'"
                raise StripeError(message, code="resource_missing", param="starting_after")
            found = found[ids.index(query["starting_after"]) + 1 :]
        limit = integer(query.get("limit", "10"), "limit")
        if not 1 <= limit <= 100:
            raise StripeError("This value must be between 1 and 100.", param="limit")
        return {
            "object": "list",
            "data": found[:limit],
            "has_more": len(found) > limit,
            "url": "/v1/events",
        }
