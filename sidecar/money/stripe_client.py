"""Stripe's client, and how long a call to Stripe may take.

No call is made while a transaction is open: what is to be asked for is recorded by one function of the database, and
the answer by another. So a Stripe that hangs holds neither a connection nor a lock; what it may cost is the time of
who waits, and the limits below bound that. The library's own limit is 80 seconds an attempt.

Every call that makes something names an idempotency key, so that a repeated one, by the library or by the next click,
finds what the first has done. Source: https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import stripe

if TYPE_CHECKING:
    from sidecar.settings import Secret


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt may take, how many follow one that failed, and how long all of them together."""

    attempt_s: float
    retries: int
    total_s: float


DOOR = Patience(attempt_s=8, retries=2, total_s=20)
"""Somebody waits for the answer. Stripe's comes within a second or two; what took eight is asked for again, and after
twenty the caller is told to try later, before their browser or a proxy (30 s, as a rule) gives up without a word."""

WORKER = Patience(attempt_s=20, retries=1, total_s=45)
"""Nobody waits, and lists take longer. What fails is due again by its own clock, so there is no use in insisting."""


class BoundedClient(stripe.HTTPXClient):
    """The library's HTTP client with an end: httpx limits each wait for bytes, not all of them together."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(timeout=patience.attempt_s)
        self.patience = patience

    async def request_with_retries_async(self, *args: Any, **kwargs: Any) -> tuple[Any, int, Any]:  # noqa: ANN401
        """One call with its retries; stripe.APIConnectionError when there is no answer in time."""
        try:
            async with asyncio.timeout(self.patience.total_s):
                return await super().request_with_retries_async(*args, **kwargs)
        except TimeoutError:
            raise stripe.APIConnectionError("Stripe did not answer in time.") from None  # type: ignore[no-untyped-call]


def create_client(secret_key: Secret, api_base: str, http: BoundedClient) -> stripe.StripeClient:
    """Stripe's client at an address; the library pins the API version."""
    return stripe.StripeClient(
        secret_key.reveal(),
        base_addresses={"api": api_base},
        http_client=http,
        max_network_retries=http.patience.retries,
    )
