"""Stripe's events about payments and what comes after them, and what the books say in the end."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from psycopg import Rollback
from psycopg.types.json import Jsonb

from devstack.standins.stripe_objects import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conftest import Org, World

    Event = dict[str, Any]

T = 1_770_000_000
"""When it all begins: an afternoon of a month's middle, whatever the zone."""
_ids = count()
EVERYTHING = """
    select coalesce(string_agg(line, E'\\n' order by line collate "C"), '')
      from (
        select 'money ' || (to_jsonb(m) - '{id,created_at}'::text[])::text from public.money_events as m
        union all
        select 'pack ' || (to_jsonb(p) - '{id,created_at,refunded_at}'::text[])::text || (refunded_at is null)::text
          from public.client_purchases as p
        union all
        select 'subscription ' || (to_jsonb(s) - '{id,updated_at}'::text[])::text from public.subscriptions as s
        union all
        select 'account ' || (to_jsonb(a) - '{updated_at}'::text[])::text from public.stripe_accounts as a
      ) as v (line)
"""


def at(seconds: int) -> datetime:
    """An instant so long after the beginning."""
    return datetime.fromtimestamp(T + seconds, UTC)


def event(org: Org, kind: str, seconds: int, data_object: dict[str, Any]) -> Event:
    """An event of the org's account, made so long after the beginning."""
    return {
        "id": f"evt_{next(_ids)}",
        "object": "event",
        "account": org.account,
        "api_version": API_VERSION,
        "created": T + seconds,
        "data": {"object": data_object},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


class Payment:
    """A pack sold through Checkout: `n` names its objects."""

    def __init__(
        self, org: Org, n: int = 1, amount: int = 90000, currency: str = "aud", fee: int | None = 4500, start: int = 0
    ) -> None:
        self.org, self.n, self.amount, self.currency, self.fee, self.start = org, n, amount, currency, fee, start
        self.intent_id, self.charge_id, self.session_id = f"pi_{n}", f"ch_{n}", f"cs_{n}"
        self._metadata = {"org_id": str(org.id), "client_id": str(org.client_id), "offer_id": str(org.offer_id)}

    def session(self, kind: str = "completed", after: int = 3, **fields: object) -> Event:
        """checkout.session.…"""
        session: dict[str, object] = {
            "id": self.session_id, "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "payment_intent": self.intent_id, "amount_total": self.amount,
            "currency": self.currency, "client_reference_id": str(self.org.client_id), "metadata": self._metadata,
        }  # fmt: skip
        return event(self.org, f"checkout.session.{kind}", self.start + after, session | fields)

    def intent(self, after: int = 1, **fields: object) -> Event:
        """payment_intent.succeeded."""
        intent = {
            "id": self.intent_id, "object": "payment_intent", "status": "succeeded", "amount": self.amount,
            "amount_received": self.amount, "currency": self.currency, "application_fee_amount": self.fee,
            "latest_charge": self.charge_id, "metadata": {},
        }  # fmt: skip
        return event(self.org, "payment_intent.succeeded", self.start + after, intent | fields)

    def charge(self, kind: str = "succeeded", after: int = 0, **fields: object) -> Event:
        """charge.…"""
        charge = {
            "id": self.charge_id, "object": "charge", "status": "succeeded", "paid": True, "captured": True,
            "amount": self.amount, "amount_captured": self.amount, "amount_refunded": 0, "currency": self.currency,
            "payment_intent": self.intent_id, "application_fee_amount": self.fee, "balance_transaction": None,
            "metadata": self._metadata,
        }  # fmt: skip
        return event(self.org, f"charge.{kind}", self.start + after, charge | fields)

    def refund_object(self, m: int, amount: int, status: str = "succeeded", after: int = 100) -> dict[str, Any]:
        """Refund `m` of it."""
        return {
            "id": f"re_{self.n}_{m}", "object": "refund", "amount": amount, "currency": self.currency,
            "status": status, "charge": self.charge_id, "payment_intent": self.intent_id,
            "created": T + self.start + after, "metadata": {},
        }  # fmt: skip

    def refund(
        self, m: int, amount: int, kind: str = "refund.created", status: str = "succeeded", after: int = 100,
        told: int | None = None,
    ) -> Event:  # fmt: skip
        """refund.… about a refund made `after` the beginning, told of at `told`."""
        refund = self.refund_object(m, amount, status, after)
        return event(self.org, kind, self.start + (after if told is None else told), refund)

    def fee_refunds(self, after: int, *refunds: tuple[int, int, int]) -> Event:
        """application_fee.refunded, an event of the platform's own, with refunds (number, amount, made after)."""
        listed = [
            {
                "id": f"fr_{self.n}_{m}", "object": "fee_refund", "amount": amount, "currency": self.currency,
                "created": T + self.start + made, "fee": f"fee_{self.n}",
            }
            for m, amount, made in refunds
        ]  # fmt: skip
        fee = {
            "id": f"fee_{self.n}", "object": "application_fee", "account": self.org.account, "amount": self.fee,
            "amount_refunded": sum(amount for _, amount, _ in refunds), "charge": self.charge_id,
            "currency": self.currency, "refunds": {"object": "list", "data": listed},
        }  # fmt: skip
        told = event(self.org, "application_fee.refunded", self.start + after, fee)
        return {name: value for name, value in told.items() if name != "account"}

    def dispute(self, kind: str, status: str, after: int, *transactions: tuple[int, int]) -> Event:
        """charge.dispute.… with balance transactions (amount, fee)."""
        listed = [
            {"id": f"txn_{n}", "object": "balance_transaction", "amount": amount, "fee": fee, "currency": self.currency}
            for n, (amount, fee) in enumerate(transactions)
        ]
        dispute = {
            "id": f"du_{self.n}", "object": "dispute", "amount": self.amount, "currency": self.currency,
            "status": status, "charge": self.charge_id, "payment_intent": self.intent_id,
            "balance_transactions": listed,
        }  # fmt: skip
        return event(self.org, f"charge.dispute.{kind}", self.start + after, dispute)


def subscription(org: Org, n: int, status: str, after: int, kind: str = "updated", started: int | None = None) -> Event:
    """customer.subscription.… of subscription `n`, which began at `started`."""
    found = {
        "id": f"sub_{n}", "object": "subscription", "status": status, "customer": "cus_1", "metadata": {},
        "created": T + (after if started is None else started),
        "items": {"object": "list", "data": [{"quantity": 1, "price": {"unit_amount": 5000}}]},
    }  # fmt: skip
    return event(org, f"customer.subscription.{kind}", after, found)


def subscription_session(org: Org, n: int, after: int, **fields: object) -> Event:
    """checkout.session.completed of subscription `n`."""
    session: dict[str, object] = {
        "id": f"cs_sub_{n}", "object": "checkout.session", "mode": "subscription", "status": "complete",
        "payment_status": "paid", "payment_intent": None, "subscription": f"sub_{n}", "customer": "cus_1",
        "client_reference_id": str(org.client_id), "amount_total": 5000, "currency": "aud", "metadata": {},
    }  # fmt: skip
    return event(org, "checkout.session.completed", after, session | fields)


def invoice(org: Org, n: int, after: int, kind: str = "paid", **fields: object) -> Event:
    """invoice.… of subscription `n`, as API versions from 2025-03-31 on send it: without its payments."""
    found: dict[str, object] = {
        "id": f"in_{n}", "object": "invoice", "status": "paid", "amount_paid": 5000, "currency": "aud",
        "customer": "cus_1", "metadata": {}, "created": T + after, "status_transitions": {"paid_at": T + after},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": f"sub_{n}"}},
    }  # fmt: skip
    return event(org, f"invoice.{kind}", after, found | fields)


def invoice_payment(n: int, **fields: object) -> dict[str, Any]:
    """How invoice `n` was paid: with payment intent `n`."""
    return {
        "id": f"inpay_{n}", "object": "invoice_payment", "invoice": f"in_{n}", "status": "paid", "amount_paid": 5000,
        "currency": "aud", "payment": {"type": "payment_intent", "payment_intent": f"pi_{n}"},
    } | fields  # fmt: skip


def payout(org: Org, kind: str, after: int, amount: int = 70000, n: int = 1) -> Event:
    """payout.…."""
    found = {"id": f"po_{n}", "object": "payout", "amount": amount, "currency": "aud", "status": kind}
    return event(org, f"payout.{kind}", after, found)


class Books:
    """One database, and what its books say."""

    def __init__(self, world: World) -> None:
        self.world = world

    def deliver(self, *events: Event) -> list[str]:
        """What became of each."""
        return [self.world.value("select app.receive_stripe_event(%s, false)", Jsonb(each)) for each in events]

    def reasons(self) -> list[str]:
        """Why events that are kept were not applied."""
        return [row["reason"] for row in self.world.rows("select reason from app.webhook_events where reason <> ''")]

    def money(self, org: Org) -> list[tuple[Any, ...]]:
        """Every row of an org."""
        return [
            tuple(row.values())
            for row in self.world.rows(
                """
                select type::text, reference_id, amount_cents, currency, event_date, is_estimate
                  from public.money_events where org_id = %s order by type::text, reference_id
                """,
                org.id,
            )
        ]

    def everything(self) -> str:
        """All that events may change, of every org, but for the events themselves and ids of our own."""
        found: str = self.world.value(EVERYTHING)
        return found

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What is done inside is undone on leaving."""
        with self.world.db.transaction() as transaction:
            yield
            raise Rollback(transaction)

    def in_every_order(self, events: Sequence[Event], look: Callable[[list[str]], None]) -> int:
        """Deliver the events in every order; `look` is called after the last of each with their ids. Returns how many.

        What two orders begin with alike is delivered once.
        """
        orders = 0

        def walk(rest: Sequence[Event], before: list[str]) -> None:
            nonlocal orders
            if not rest:
                orders += 1
                look(before)
            for n, each in enumerate(rest):
                with self.undone():
                    [outcome] = self.deliver(each)
                    assert outcome in {"applied", "ignored"}, (before, each["type"], outcome, self.reasons())
                    walk([*rest[:n], *rest[n + 1 :]], [*before, each["type"]])

        walk(events, [])
        return orders
