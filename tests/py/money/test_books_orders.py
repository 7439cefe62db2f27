"""The books are the same for every order in which Stripe's events come, however many describe one thing."""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING, Any

import pytest
from books import (
    Books,
    Payment,
    at,
    event,
    invoice,
    invoice_payment,
    payout,
    subscription,
    subscription_session,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Org, World

    Event = dict[str, Any]


@pytest.fixture
def books(world: World) -> Books:
    return Books(world)


PAID = [
    ("FEE", "pi_1", -1560, "aud", at(0), True),
    ("INCOME", "pi_1", 90000, "aud", at(0), False),
    ("PLATFORM_FEE", "pi_1", -4500, "aud", at(0), False),
]


def paid(*more: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return sorted([*PAID, *more], key=lambda row: row[:2])


def sale(*more: Callable[[Payment], Event]) -> Callable[[Org], list[Event]]:
    def events(org: Org) -> list[Event]:
        payment = Payment(org)
        told = [payment.session(), payment.charge(), payment.intent()]
        # Five events are 120 orders, six would be 720; the intent says nothing that the charge does not.
        return [*told[: 5 - len(more)], *(each(payment) for each in more)]

    return events


SALES: dict[str, tuple[Callable[[Org], list[Event]], list[tuple[Any, ...]], list[str]]] = {
    "a payment, told of four times": (sale(lambda p: p.session("async_payment_succeeded", 5)), PAID, ["succeeded"]),
    "a partial refund, one that failed": (
        sale(
            lambda p: p.refund(1, 30000, after=100),
            lambda p: p.refund(2, 60000, after=200),
            lambda p: p.refund(2, 60000, "refund.failed", "failed", 200, 300),
        ),
        paid(
            ("REFUND", "re_1_1", -30000, "aud", at(100), False),
            ("REFUND", "re_1_2", -60000, "aud", at(200), False),
            ("REFUND", "re_1_2:reversal", 60000, "aud", at(300), False),
        ),
        ["succeeded"],
    ),
    "refunds that reach the amount": (
        sale(lambda p: p.refund(1, 30000, after=100), lambda p: p.refund(2, 60000, "refund.updated", after=200)),
        paid(
            ("REFUND", "re_1_1", -30000, "aud", at(100), False), ("REFUND", "re_1_2", -60000, "aud", at(200), False)
        ),
        ["refunded"],
    ),
    "a refund that was pending, told of by the charge, too": (
        sale(
            lambda p: p.refund(1, 90000, status="pending"),
            lambda p: p.refund(1, 90000, "charge.refund.updated", told=150),
            lambda p: p.charge(
                "refunded", 160, amount_refunded=90000, refunds={"data": [p.refund_object(1, 90000)]}
            ),
        ),
        paid(("REFUND", "re_1_1", -90000, "aud", at(100), False)),
        ["refunded"],
    ),
    "refunds told of by a charge with its running total": (
        sale(
            lambda p: p.charge(
                "refunded", 110, amount_refunded=30000, refunds={"data": [p.refund_object(1, 30000)]}
            ),
            lambda p: p.charge(
                "refunded", 210, amount_refunded=50000,
                refunds={"data": [p.refund_object(2, 20000, after=200), p.refund_object(1, 30000)]},
            ),
            lambda p: p.charge("refunded", 220, amount_refunded=50000),
        ),
        paid(
            ("REFUND", "re_1_1", -30000, "aud", at(100), False), ("REFUND", "re_1_2", -20000, "aud", at(200), False)
        ),
        ["succeeded"],
    ),
    "a refund that failed before it moved anything": (
        sale(
            lambda p: p.refund(1, 90000, status="pending"),
            lambda p: p.refund(1, 90000, "refund.updated", "canceled", told=200),
        ),
        PAID,
        ["succeeded"],
    ),
    "a share that goes back in two parts, told of by its running total": (
        lambda org: [
            (p := Payment(org)).session(),
            p.charge(),
            p.fee_refunds(110, (1, 1500, 100)),
            p.fee_refunds(210, (2, 3000, 200), (1, 1500, 100)),
        ],
        paid(
            ("PLATFORM_FEE", "fr_1_1", 1500, "aud", at(100), False),
            ("PLATFORM_FEE", "fr_1_2", 3000, "aud", at(200), False),
        ),
        ["succeeded"],
    ),
    "a dispute that is won": (
        lambda org: [
            (p := Payment(org)).session(),
            p.intent(),
            p.dispute("funds_withdrawn", "needs_response", 500, (-90000, 2500)),
            p.dispute("closed", "won", 900, (-90000, 2500), (90000, 0)),
            p.dispute("funds_reinstated", "won", 901, (-90000, 2500), (90000, 0)),
        ],
        [
            ("ADJUSTMENT", "du_1", -90000, "aud", at(500), False),
            ("ADJUSTMENT", "du_1:reversal", 90000, "aud", at(901), False),
            ("FEE", "du_1", -2500, "aud", at(500), False),
            ("FEE", "pi_1", -1560, "aud", at(1), True),
            ("INCOME", "pi_1", 90000, "aud", at(1), False),
            ("PLATFORM_FEE", "pi_1", -4500, "aud", at(1), False),
        ],
        ["succeeded"],
    ),
    "a dispute that is lost": (
        sale(
            lambda p: p.dispute("funds_withdrawn", "needs_response", 500, (-90000, 2500)),
            lambda p: p.dispute("closed", "lost", 900, (-90000, 2500)),
        ),
        paid(
            ("ADJUSTMENT", "du_1", -90000, "aud", at(500), False), ("FEE", "du_1", -2500, "aud", at(500), False)
        ),
        ["refunded"],
    ),
    "an inquiry": (
        sale(
            lambda p: p.dispute("created", "warning_needs_response", 500),
            lambda p: p.dispute("funds_withdrawn", "warning_under_review", 600),
            lambda p: p.dispute("closed", "warning_closed", 900),
        ),
        PAID,
        ["succeeded"],
    ),
    "money that comes later": (
        lambda org: [
            (p := Payment(org)).session(payment_status="unpaid"),
            p.session("async_payment_succeeded", 50),
            p.intent(49),
            p.charge(after=48),
        ],
        [(*row[:4], at(48), row[5]) for row in PAID],
        ["succeeded"],
    ),
    "money that does not come": (
        lambda org: [
            (p := Payment(org)).session(payment_status="unpaid"),
            p.session("async_payment_failed", 50, payment_status="unpaid"),
        ],
        [],
        [],
    ),
    "a card that was only authorised at first": (
        lambda org: [
            (p := Payment(org)).charge(captured=False, amount_captured=0), p.charge("captured", 60), p.intent(61),
            p.session(after=62),
        ],
        [(*row[:4], at(60), row[5]) for row in PAID],
        ["succeeded"],
    ),
}  # fmt: skip


def in_every_order(books: Books, events: list[Event], check: Callable[[], None]) -> None:
    """Check after the first order, and that nothing at all is different after any other."""
    first: list[str] = []

    def look(order: list[str]) -> None:
        if not first:
            check()
            first.append(books.everything())
        assert books.everything() == first[0], order

    assert books.in_every_order(events, look) == factorial(len(events))


def test_a_sale_in_every_order(books: Books, world: World, subtests: pytest.Subtests) -> None:
    org = world.org()
    world.db.execute("update public.offers set pack_validity_days = 30, bonus_sessions = 2")
    for name, (make, rows, packs) in SALES.items():
        with subtests.test(name):

            def check(rows: list[tuple[Any, ...]] = rows, packs: list[str] = packs) -> None:
                assert books.money(org) == rows
                found = world.rows("select payment_status, sessions_total, payment_method from public.client_purchases")
                assert found == [
                    {"payment_status": status, "sessions_total": 12, "payment_method": "stripe"} for status in packs
                ]
                whose = world.rows("select distinct client_id from public.money_events")
                assert whose == [{"client_id": org.client_id}] * bool(rows)

            in_every_order(books, make(org), check)


def test_what_the_platform_kept_is_what_the_charge_says(books: Books, world: World) -> None:
    """Until it is told, the org's commission; nothing when the charge says that nothing was kept."""
    org = world.org(commission="0.033")
    payment = Payment(org, fee=None)
    told: dict[int | None, int] = {1234: -1234, None: 0}

    with books.undone():
        books.deliver(payment.session())
        assert ("PLATFORM_FEE", "pi_1", -2970, "aud", at(3), True) in books.money(org)
    for fee, booked in told.items():
        payment = Payment(org, fee=fee)

        def check(booked: int = booked) -> None:
            found = [row[2:] for row in books.money(org) if row[0] == "PLATFORM_FEE"]
            assert found == [(booked, "aud", at(0), False)] * bool(booked)

        in_every_order(books, [payment.session(), payment.intent(), payment.charge()], check)


INVOICES: dict[str, Callable[[Org], list[Event]]] = {
    "as they come today": lambda org: [
        subscription_session(org, 1, 4),
        subscription(org, 1, "active", 3, started=0),
        invoice(org, 1, 3),
        event(org, "invoice_payment.paid", 3, invoice_payment(1)),
        Payment(org, amount=5000, fee=250).intent(after=2),
    ],
    "with their payments": lambda org: [
        subscription_session(org, 1, 4),
        subscription(org, 1, "active", 3, "created", started=0),
        invoice(org, 1, 3, payments={"object": "list", "data": [invoice_payment(1)], "has_more": False}),
        invoice(org, 1, 4, "payment_succeeded"),
        Payment(org, amount=5000, fee=250).charge(after=2, metadata={}),
    ],
    "of an earlier API version": lambda org: [
        subscription_session(org, 1, 4),
        subscription(org, 1, "active", 3, "created", started=0),
        invoice(org, 1, 3, parent=None, subscription="sub_1", payment_intent="pi_1", charge="ch_1"),
        invoice(org, 1, 4, "payment_succeeded", parent=None, subscription="sub_1", payment_intent="pi_1"),
        Payment(org, amount=5000, fee=250).charge(after=2, metadata={}),
    ],
}


def test_an_invoice_in_every_order(books: Books, world: World, subtests: pytest.Subtests) -> None:
    org = world.org()
    for name, make in INVOICES.items():
        with subtests.test(name):

            def check() -> None:
                assert books.money(org) == [
                    ("FEE", "pi_1", -115, "aud", at(2), True),
                    ("INCOME", "pi_1", 5000, "aud", at(2), False),
                    ("PLATFORM_FEE", "pi_1", -250, "aud", at(2), False),
                ]
                found = world.one(
                    "select client_id, stripe_invoice_id, stripe_payment_intent_id from public.money_events"
                    " where type = 'INCOME'"
                )
                assert list(found.values()) == [org.client_id, "in_1", "pi_1"]
                assert world.one("select client_id, status, price_cents from public.subscriptions") == {
                    "client_id": org.client_id, "status": "active", "price_cents": 5000,
                }  # fmt: skip

            in_every_order(books, make(org), check)


def test_what_goes_back_of_an_invoice_in_every_order(books: Books, world: World) -> None:
    """Whose it is and of which invoice is known late, or early: it is the same in the end."""
    org = world.org()
    payment = Payment(org, amount=5000, fee=250)
    events = [
        subscription_session(org, 1, 4),
        event(org, "invoice_payment.paid", 3, invoice_payment(1)),
        invoice(org, 1, 3),
        payment.refund(1, 1000),
        payment.dispute("funds_withdrawn", "needs_response", 500, (-5000, 2500)),
    ]

    def check() -> None:
        found = world.rows("select type::text, client_id, stripe_invoice_id from public.money_events order by 1")
        assert [tuple(row.values()) for row in found] == [
            (kind, org.client_id, "in_1") for kind in ("ADJUSTMENT", "FEE", "FEE", "INCOME", "PLATFORM_FEE", "REFUND")
        ]

    in_every_order(books, events, check)


def test_an_invoice_without_any_intent_is_a_payment_itself(books: Books, world: World) -> None:
    org = world.org()

    books.deliver(invoice(org, 1, 3, payments={"data": []}), invoice(org, 1, 3, "payment_succeeded", payments={}))

    assert [row[:3] for row in books.money(org) if row[0] == "INCOME"] == [("INCOME", "in_1", 5000)]


def test_an_invoice_paid_another_way_or_of_nothing_books_nothing(books: Books, world: World) -> None:
    org = world.org()

    books.deliver(
        invoice(org, 1, 1, payments={"data": [invoice_payment(1, payment={"type": "payment_record"})]}),
        invoice(org, 2, 2, paid_out_of_band=True, payment_intent=None),
        invoice(org, 3, 3, amount_paid=0, payments={"data": []}),
    )

    assert books.money(org) == []


def lived(org: Org) -> list[Event]:
    return [
        subscription(org, 1, "canceled", 500, "deleted", started=10),
        subscription_session(org, 1, 11),
        subscription(org, 2, "active", 600, "created"),
        subscription_session(org, 2, 601),
        invoice(org, 1, 502, "payment_failed"),
    ]


SUBSCRIPTIONS: dict[str, tuple[Callable[[Org], list[Event]], tuple[str, str]]] = {
    "ended, and begun anew": (lived, ("sub_2", "active")),
    "ended in the second it was paid": (
        lambda org: [
            subscription_session(org, 1, 5),
            subscription(org, 1, "active", 5, started=4),
            subscription(org, 1, "canceled", 5, "deleted", started=4),
            invoice(org, 1, 5),
        ],
        ("sub_1", "canceled"),
    ),
    "ended, and its last invoice paid after": (
        lambda org: [
            subscription_session(org, 1, 5),
            subscription(org, 1, "canceled", 500, "deleted", started=4),
            invoice(org, 1, 600),
        ],
        ("sub_1", "canceled"),
    ),
    "not paid, then paid": (
        lambda org: [
            subscription_session(org, 1, 5),
            subscription(org, 1, "active", 4, "created"),
            invoice(org, 1, 99, "payment_failed"),
            subscription(org, 1, "past_due", 100, started=4),
            subscription(org, 1, "active", 200, started=4),
        ],
        ("sub_1", "active"),
    ),
    "not paid at last": (
        lambda org: [
            subscription_session(org, 1, 5),
            subscription(org, 1, "trialing", 4, "created"),
            subscription(org, 1, "unpaid", 300, started=4),
            invoice(org, 1, 200),
        ],
        ("sub_1", "past_due"),
    ),
    "paused": (
        lambda org: [
            subscription_session(org, 1, 5),
            subscription(org, 1, "active", 4, "created"),
            subscription(org, 1, "paused", 300, "paused", started=4),
        ],
        ("sub_1", "none"),
    ),
}


def test_the_life_of_a_subscription_in_every_order(books: Books, world: World, subtests: pytest.Subtests) -> None:
    org = world.org()
    for name, (make, (which, status)) in SUBSCRIPTIONS.items():
        with subtests.test(name):

            def check(which: str = which, status: str = status) -> None:
                found = world.one("select client_id, stripe_subscription_id, status from public.subscriptions")
                assert list(found.values()) == [org.client_id, which, status]

            in_every_order(books, make(org), check)


def test_a_payout_in_every_order(books: Books, world: World) -> None:
    org = world.org()
    events = [payout(org, "paid", 10), payout(org, "failed", 20), payout(org, "paid", 12), payout(org, "failed", 25)]

    def check() -> None:
        assert books.money(org) == [
            ("PAYOUT", "po_1", -70000, "aud", at(10), False),
            ("PAYOUT", "po_1:reversal", 70000, "aud", at(20), False),
        ]

    in_every_order(books, events, check)
    with books.undone():
        books.deliver(payout(org, "failed", 20))
        assert books.money(org) == []


def test_the_newest_word_about_an_account_counts(books: Books, world: World) -> None:
    org = world.org()

    def updated(after: int, *, charges: bool, payouts: bool) -> Event:
        flags = {"charges_enabled": charges, "payouts_enabled": payouts, "details_submitted": True}
        return event(org, "account.updated", after, {"id": org.account, "object": "account", **flags})

    events = [
        updated(10, charges=True, payouts=False), updated(20, charges=True, payouts=True),
        updated(30, charges=False, payouts=True), updated(30, charges=False, payouts=False),
    ]  # fmt: skip

    def check() -> None:
        assert world.one("select charges_enabled, payouts_enabled from public.stripe_accounts") == {
            "charges_enabled": False, "payouts_enabled": True,
        }  # fmt: skip

    in_every_order(books, events, check)


def test_small_and_whole_amounts_are_exact(books: Books, world: World) -> None:
    org = world.org()
    world.db.execute("update public.booking_settings set gst_registered = true")
    cent, yen = Payment(org, 1, 1, fee=0), Payment(org, 2, 12345, "jpy", fee=None)

    books.deliver(
        cent.intent(), cent.refund(1, 1), cent.session(),
        yen.charge(), yen.refund(1, 345), yen.refund(2, 12000),
        Payment(org, 3, 0, fee=None).intent(), Payment(org, 3, 0).session(payment_status="no_payment_required"),
        payout(org, "paid", 5, 0, 9),
    )  # fmt: skip

    sums = world.rows(
        """
        select currency, type::text, sum(amount_cents)::integer as cents, sum(tax_cents)::integer as tax,
               string_agg(distinct tax_cat::text, '') as tax_cat
          from public.money_events group by 1, 2 order by 1, 2
        """
    )
    assert [tuple(row.values()) for row in sums] == [
        ("aud", "FEE", -30, 0, "GST_FREE"),
        ("aud", "INCOME", 1, 0, "GST"),
        ("aud", "REFUND", -1, 0, "GST"),
        ("jpy", "FEE", -240, 0, "GST_FREE"),
        ("jpy", "INCOME", 12345, 1122, "GST"),
        ("jpy", "REFUND", -12345, -1122, "GST"),
    ]
