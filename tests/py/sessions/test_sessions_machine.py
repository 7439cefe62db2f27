"""Random lives of packs and bookings, played to Postgres and to a plain model of what must happen: they always agree.

The model knows the rules as they are promised (docs/architecture.md, the comments of the functions), not how they are
kept. Each example is one transaction, rolled back at its end; each step a savepoint of it, as one request would be.

`./just soak` plays for as long as one likes; the seed it prints plays the same again.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.types.json import Jsonb

from devstack.postgres import ADMIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Org, World

HOLDING = ("pending", "confirmed")
STATUSES = (*HOLDING, "completed", "no_show", "cancelled")
COACHES = ("owner", "staff")
STRANGERS = ("stranger", "accountant")
ACTORS = (*COACHES, "service", *STRANGERS)
PACK_NOT_FOUND = "purchase_id_not_found"
OVERDRAWN = "check_violation"

HELPERS = """
    create schema machine;
    -- Runs a statement as somebody who comes through the API would, in a savepoint: what it returned, or the code or
    -- the name of the error.
    create function machine.act(p_role text, p_user uuid, p_statement text, p_values jsonb) returns jsonb
      language plpgsql as $$
    declare
      v_result jsonb;
    begin
      perform set_config('request.jwt.claims', jsonb_build_object('role', p_role, 'sub', p_user)::text, true),
              set_config('role', p_role, true);
      execute p_statement into v_result using p_values;
      perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
      return jsonb_build_object('said', v_result);
    exception
      when check_violation then return '{"refused": "check_violation"}';
      when others then
        if sqlstate not like 'PT%' then
          raise;
        end if;
        return jsonb_build_object('refused', sqlerrm);
    end;
    $$;
    -- What the model also knows, of every pack and booking of an org.
    create function machine.state(p_org_id uuid) returns jsonb language plpgsql as $$
    begin
      return jsonb_build_object(
        'packs', (
          select jsonb_object_agg(p.id, jsonb_build_array(p.sessions_total, p.sessions_used, p.sessions_remaining))
            from public.client_purchases as p where p.org_id = p_org_id),
        'bookings', (
          select jsonb_object_agg(b.id, jsonb_build_array(
                   b.status, b.client_id, b.purchase_id, b.forfeited, b.uncovered_reason, coalesce(l.taken, 0)))
            from public.bookings as b
            left join (select l.booking_id, max(l.booking_seq) % 2 as taken
                         from public.session_ledger as l group by 1) as l on l.booking_id = b.id
           where b.org_id = p_org_id),
        'broken', (
          select jsonb_agg(broken.what) from (
            select 'counter ' || d.purchase_id as what from app.session_discrepancies() as d
            union all
            -- Numbered without a gap, each the opposite of the one before, and the last two of one pack.
            select 'entries of ' || l.booking_id
              from (select l.*, row_number() over w as n, lag(l.purchase_id) over w as before
                      from public.session_ledger as l where l.booking_id is not null
                    window w as (partition by l.booking_id order by l.booking_seq)) as l
             where l.booking_seq <> l.n
                or (l.n % 2 = 1 and (l.delta <> 1 or l.entry_type <> 'booking'))
                or (l.n % 2 = 0 and (l.delta > 0 or l.entry_type <> 'release' or l.purchase_id <> l.before))
          ) as broken)
      );
    end;
    $$;
"""


@dataclass
class Pack:
    """What a client has bought. Times are hours from now; None: never."""

    id: UUID
    client_id: UUID
    total: int | None
    used: int
    status: str
    expires: int | None

    @property
    def left(self) -> int:
        return (self.total or 0) - self.used

    def problem(self, client_id: UUID | None, at: int) -> str | None:
        """Why it cannot pay for a session of this client at that hour, however many it has left."""
        if client_id not in (None, self.client_id):
            return "pack_not_the_clients"
        if self.status != "succeeded":
            return "pack_refunded" if self.status == "refunded" else "pack_unpaid"
        return "pack_expired" if self.expires is not None and self.expires <= at else None


@dataclass
class Booking:
    """A session at an hour, an hour long. `paid_by`: the pack whose session it has."""

    id: UUID
    client_id: UUID
    pack_id: UUID | None
    start: int
    status: str
    forfeited: bool = False
    uncovered: str | None = None
    paid_by: UUID | None = None

    @property
    def holding(self) -> bool:
        return self.status in HOLDING

    @property
    def charged(self) -> bool:
        return self.status == "completed" or (self.status in ("no_show", "cancelled") and self.forfeited)


class Refused(Exception):
    """The step changes nothing; the caller is told this code."""


@dataclass
class Model:
    """An org's packs and bookings, by the rules."""

    charge_no_show: bool = False
    packs: dict[UUID, Pack] = field(default_factory=dict)
    bookings: dict[UUID, Booking] = field(default_factory=dict)
    credits: list[tuple[str, UUID]] = field(default_factory=list)

    def held(self, pack_id: UUID, but_for: UUID | None = None) -> int:
        return sum(
            b.holding and b.pack_id == pack_id and b.paid_by is None and b.id != but_for for b in self.bookings.values()
        )

    def bookable(self, pack: Pack) -> int:
        return 0 if pack.problem(None, 0) else max(0, pack.left - self.held(pack.id))

    # -- a session ----------------------------------------------------------------------------------------------------

    def take(self, pack: Pack, booking: Booking | None, at: int) -> str | None:
        """Take one from the pack, for a booking once. Returns why not."""
        if booking is not None and booking.paid_by is not None:
            return None
        if booking is not None and booking.status in ("cancelled", "no_show") and not booking.forfeited:
            return "booking_not_charged"
        problem = pack.problem(booking.client_id if booking else None, at) or (
            None if pack.left > 0 else "no_session_left"
        )
        if problem is None:
            pack.used += 1
            if booking is not None:
                booking.paid_by, booking.uncovered = pack.id, None
        return problem

    def give_back(self, booking: Booking) -> int:
        """Give back what the booking has; the pack's new count, or -1."""
        if booking.paid_by is None:
            return -1
        pack = self.packs[booking.paid_by]
        booking.paid_by = None
        # A correction by hand may have given it back before.
        pack.used = max(0, pack.used - 1)
        return pack.used

    # -- a booking ----------------------------------------------------------------------------------------------------

    def book(self, new: Booking) -> None:
        """Refused: the pack cannot pay, or every session it has left is held."""
        new.forfeited = new.status in ("no_show", "cancelled") and (
            new.forfeited or (new.status == "no_show" and self.charge_no_show)
        )
        self._hold(None, new)
        self.bookings[new.id] = new
        self._settle(None, new)

    def change(self, booking: Booking, **changes: Any) -> None:  # noqa: ANN401 - of any column
        """What an update by the org's staff does."""
        if booking.status == "cancelled" and changes.get("status") == "completed":
            raise Refused("booking_is_cancelled")  # whoever completes it has not heard of it
        fields = {"client": "client_id", "pack": "pack_id"}
        old, new = replace(booking), replace(booking, **{fields.get(name, name): changes[name] for name in changes})
        if new.client_id != old.client_id and new.pack_id == old.pack_id:
            new.pack_id = None  # a pack pays for its own client only
        if new.status not in ("no_show", "cancelled"):
            new.forfeited = False
        elif new.status != old.status and new.forfeited == old.forfeited:
            new.forfeited = new.status == "no_show" and self.charge_no_show
        self._hold(old, new)
        self.bookings[new.id] = new
        if {"status", "pack", "client", "forfeited"} & changes.keys():
            self._settle(old, new)

    def _hold(self, old: Booking | None, new: Booking) -> None:
        if not new.holding or new.pack_id is None:
            return
        if new.pack_id not in self.packs:
            raise Refused(PACK_NOT_FOUND)
        pack = self.packs[new.pack_id]
        holds_already = old is not None and old.holding and old.pack_id == new.pack_id
        if not holds_already or (old is not None and old.start != new.start):
            problem = pack.problem(new.client_id, new.start)
            # What the pack could not pay where it was, it need not pay where it is moved to.
            bad_before = old is not None and holds_already and pack.problem(old.client_id, old.start)
            if problem and not (bad_before and old is not None and old.client_id == new.client_id):
                raise Refused(problem)
        # What it took from this very pack comes back to it, unless a correction by hand brought it back before.
        comes_back = min(1, pack.used) if new.paid_by == pack.id else 0
        if not holds_already and pack.left + comes_back <= self.held(pack.id, but_for=new.id):
            raise Refused("no_session_left")

    def _settle(self, old: Booking | None, new: Booking) -> None:
        if new.pack_id is not None and new.pack_id not in self.packs:
            raise Refused(PACK_NOT_FOUND)
        other_pack = old is not None and (old.pack_id != new.pack_id or old.client_id != new.client_id)
        was_charged = old is not None and old.charged
        called_off = old is not None and new.status != old.status and new.status in ("cancelled", "no_show")
        if other_pack or ((was_charged or called_off) and not new.charged):
            self.give_back(new)
        uncovered, new.uncovered = new.uncovered, None
        if new.charged and new.pack_id is not None and (not was_charged or other_pack or uncovered):
            new.uncovered = self.take(self.packs[new.pack_id], new, new.start)

    # -- what callers ask ---------------------------------------------------------------------------------------------

    def use(self, actor: str, pack_id: UUID, booking: Booking | None) -> bool:
        if actor in STRANGERS or pack_id not in self.packs:
            return False
        if booking is None and (actor, pack_id) in self.credits:
            self.credits.remove((actor, pack_id))
            return True
        return self.take(self.packs[pack_id], booking, 0) is None

    def release(self, actor: str, pack_id: UUID | None, booking: Booking | None) -> int:
        if actor in STRANGERS:
            return -1
        if booking is not None:
            return -1 if pack_id not in (None, booking.paid_by) else self.give_back(booking)
        pack = self.packs.get(pack_id) if pack_id else None
        if pack is None or pack.used == 0:
            return -1
        pack.used -= 1
        return pack.used

    def cover(self, actor: str, booking: Booking, pack_id: UUID) -> None:
        if actor in STRANGERS:
            raise Refused("booking_not_found")
        if not booking.charged:
            raise Refused("booking_not_charged")
        if pack_id not in self.packs:
            raise Refused(PACK_NOT_FOUND)
        new = replace(booking)
        if booking.pack_id != pack_id or booking.paid_by not in (None, pack_id):
            self.give_back(new)
        new.pack_id = pack_id
        problem = self.take(self.packs[pack_id], new, new.start)
        if problem:
            raise Refused(problem)
        new.uncovered = None
        self.bookings[new.id] = new


# -- the machine ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """The org that all examples play with, and who plays."""

    db: psycopg.Connection[Any]
    org: Org
    clients: tuple[UUID, UUID]
    people: dict[str, UUID | None]
    foreign_pack: UUID


hours = st.integers(-3, 2)
which = st.integers(0, 11)
coaches = st.sampled_from(COACHES)
# Mostly those whose steps do something.
actors = st.sampled_from((*COACHES * 4, *STRANGERS))
callers = st.sampled_from((*COACHES * 4, "service", "service", *STRANGERS))
totals = st.sampled_from((3, 4, 2, 1, 5, 0, None))
payments = st.sampled_from(("succeeded",) * 6 + ("pending", "failed", "refunded"))
expiries = st.one_of(st.none(), hours)


class Sessions(RuleBasedStateMachine):
    """Every step acts on both and compares what the caller is told, and then everything that is stored."""

    table: ClassVar[Table]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.db = self.table.db
        self.model = Model()
        self.agreed = True
        self.ids = 0
        self.db.execute("begin")
        # This transaction's now() is when everything happens.
        self.now = self._value("select now()")

    def teardown(self) -> None:
        try:
            if self.agreed:
                self.compare_statements()
                self.compare_bookable()
        finally:
            self.db.execute("rollback")

    # -- talking to Postgres ------------------------------------------------------------------------------------------

    def _value(self, query: str, *values: object) -> Any:  # noqa: ANN401 - any SQL type
        row = self.db.execute(query, values).fetchone()
        assert row is not None
        return row[0]

    def _at(self, hour: int | None) -> str | None:
        return None if hour is None else (self.now + timedelta(hours=hour)).isoformat()

    def _act(self, actor: str, statement: str, expected: Callable[[], object], **values: object) -> object:
        """Run the statement as `actor`, and the model; both say the same, or refuse with the same code."""
        Sessions.steps += 1
        self.agreed = False
        role = "service_role" if actor == "service" else "authenticated"
        answer = self._value(
            "select machine.act(%s, %s, %s, %s)", role, self.table.people[actor], statement, Jsonb(values)
        )
        before = (
            {pack.id: replace(pack) for pack in self.model.packs.values()},
            {booking.id: replace(booking) for booking in self.model.bookings.values()},
        )
        try:
            wanted: dict[str, object] = {"said": expected()}
        except Refused as refused:
            self.model.packs, self.model.bookings = before
            wanted = {"refused": str(refused)}
        assert answer == wanted
        return wanted.get("said")

    def _update(self, actor: str, booking: Booking, changes: dict[str, Any]) -> object:
        """One request that updates a booking, as PostgREST would send it. Returns None when nothing was changed."""
        columns = {
            "status": "status = $1->>'status'",
            "forfeited": "forfeited = ($1->>'forfeited')::boolean",
            "client": "client_id = ($1->>'client')::uuid",
            "pack": "purchase_id = ($1->>'pack')::uuid",
            "start": "start_time = ($1->>'at')::timestamptz, end_time = ($1->>'at')::timestamptz + interval '1 hour'",
        }
        assignments = ", ".join(columns[name] for name in changes)

        def expected() -> object:
            if actor in STRANGERS:
                return None  # no such row, for them
            self.model.change(booking, **changes)
            new = self.model.bookings[booking.id]
            if changes.get("status") == "completed" and new.pack_id is not None:
                self.model.credits.append((actor, new.pack_id))
            return str(booking.id)

        values = {k: str(v) if isinstance(v, UUID) else v for k, v in changes.items()}
        return self._act(
            actor,
            f"with changed as (update public.bookings set {assignments} where id = ($1->>'id')::uuid returning id)"
            " select to_jsonb(id) from changed",
            expected,
            id=str(booking.id), at=self._at(changes.get("start")), **values,
        )  # fmt: skip

    # -- choosing -----------------------------------------------------------------------------------------------------

    def _pack(self, number: int) -> Pack:
        return list(self.model.packs.values())[number % len(self.model.packs)]

    def _pack_id(self, number: int, *, any_org: bool = True) -> UUID | None:
        """Often the first pack, where most happens; some pack of the org, none, or (`any_org`) another org's."""
        packs = list(self.model.packs)
        choices = [packs[0], packs[0], *packs, None]
        if any_org and number == 11:
            return self.table.foreign_pack
        return choices[number % len(choices)]

    def _new_id(self) -> UUID:
        """The same in each replay, since what is due at one instant is taken in the order of ids."""
        self.ids += 1
        return UUID(int=self.ids)

    def _client_id(self, number: int) -> UUID:
        """Mostly the first one."""
        return self.table.clients[number % 4 == 1]

    def _booking(self, number: int) -> Booking:
        """Now and then one that is to be paid yet."""
        bookings = list(self.model.bookings.values())
        if number > 8:
            bookings = [b for b in bookings if b.uncovered] or bookings
        return bookings[number % len(bookings)]

    def _pack_of(self, booking: Booking, number: int) -> UUID:
        """The one it is on, or another."""
        return booking.pack_id if booking.pack_id and number % 2 else self._pack(number).id

    # -- packs --------------------------------------------------------------------------------------------------------

    @initialize(
        charge=st.booleans(),
        total=st.integers(1, 4),
        expires=expiries,
        starts=st.lists(hours, min_size=1, max_size=4),
    )
    def begin(self, charge: bool, total: int, expires: int | None, starts: list[int]) -> None:
        """A pack of each client, and some bookings."""
        self.model.charge_no_show = charge
        self.db.execute(
            "update public.booking_settings set charge_no_show = %s where org_id = %s", [charge, self.table.org.id]
        )
        for client in range(2):
            self.buy("owner", client, total, 0, "succeeded", expires)
        for start in starts:
            self.book("owner", 0, 0, start, "confirmed", forfeited=False)

    @precondition(lambda self: len(self.model.packs) < 5)
    @rule(actor=coaches, client=which, total=totals, used=st.integers(0, 2), status=payments, expires=expiries)
    def buy(self, actor: str, client: int, total: int | None, used: int, status: str, expires: int | None) -> None:
        pack = Pack(self._new_id(), self._client_id(client), total, used if total else 0, status, expires)

        def expected() -> None:
            if pack.used > (pack.total or 0):
                raise Refused(OVERDRAWN)
            self.model.packs[pack.id] = pack

        self._act(
            actor,
            "insert into public.client_purchases (id, org_id, client_id, offer_id, amount_paid_cents, sessions_total,"
            " sessions_used, payment_status, expires_at) select ($1->>'id')::uuid, ($1->>'org')::uuid,"
            " ($1->>'client')::uuid, ($1->>'offer')::uuid, 90000, ($1->>'total')::integer, ($1->>'used')::integer,"
            " $1->>'status', ($1->>'expires')::timestamptz returning null::jsonb",
            expected,
            id=str(pack.id), org=str(self.table.org.id), client=str(pack.client_id), offer=str(self.table.org.offer_id),
            total=total, used=pack.used, status=status, expires=self._at(expires),
        )  # fmt: skip

    @rule(actor=actors, number=which, total=totals, used=st.integers(-1, 4), both=st.booleans())
    def edit_counts(self, actor: str, number: int, total: int | None, used: int, both: bool) -> None:
        """The edit form; it also writes back what it did not change."""
        pack = self._pack(number)
        self._edit_counts(actor, pack, total, used if both else pack.used)

    def _edit_counts(self, actor: str, pack: Pack, total: int | None, used: int) -> None:
        def expected() -> object:
            if actor in STRANGERS:
                return None
            if used < 0 or used > (total or 0):
                raise Refused(OVERDRAWN)
            pack.total, pack.used = total, used
            return str(pack.id)

        self._act(
            actor,
            "with changed as (update public.client_purchases set sessions_total = ($1->>'total')::integer,"
            " sessions_used = ($1->>'used')::integer where id = ($1->>'id')::uuid returning id)"
            " select to_jsonb(id) from changed",
            expected, id=str(pack.id), total=total, used=used,
        )  # fmt: skip

    @rule(actor=actors, number=which, status=payments, expires=expiries)
    def edit_payment(self, actor: str, number: int, status: str, expires: int | None) -> None:
        """Paid, refunded, or refunded no longer; extended or expired."""
        pack = self._pack(number)

        def expected() -> object:
            if actor in STRANGERS:
                return None
            pack.status, pack.expires = status, expires
            return str(pack.id)

        self._act(
            actor,
            "with changed as (update public.client_purchases set payment_status = $1->>'status',"
            " expires_at = ($1->>'expires')::timestamptz where id = ($1->>'id')::uuid returning id)"
            " select to_jsonb(id) from changed",
            expected, id=str(pack.id), status=status, expires=self._at(expires),
        )  # fmt: skip

    @rule(actor=callers, number=which)
    def use_by_hand(self, actor: str, number: int) -> None:
        # The stranger may use their own org's pack, and a service key everybody's.
        self._use(actor, self._pack_id(number, any_org=actor in COACHES) or UUID(int=0), None)

    def _use(self, actor: str, pack_id: UUID, booking: Booking | None) -> None:
        self._act(
            actor,
            "select to_jsonb(public.use_session(($1->>'pack')::uuid, ($1->>'booking')::uuid))",
            lambda: self.model.use(actor, pack_id, booking),
            pack=str(pack_id), booking=booking and str(booking.id),
        )  # fmt: skip

    @rule(actor=callers, number=which, booking=st.one_of(st.none(), which))
    def release(self, actor: str, number: int, booking: int | None) -> None:
        """By hand, or what a booking took."""
        of = self._booking(booking) if booking is not None and self.model.bookings else None
        pack_id = self._pack_id(number, any_org=actor in COACHES)
        self._act(
            actor,
            "select to_jsonb(public.release_session(($1->>'pack')::uuid, ($1->>'booking')::uuid))",
            lambda: self.model.release(actor, pack_id, of),
            pack=pack_id and str(pack_id), booking=of and str(of.id),
        )  # fmt: skip

    # -- bookings -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.model.bookings) < 10)
    @rule(
        actor=coaches, number=which, client=which, start=hours,
        status=st.sampled_from(("confirmed",) * 6 + STATUSES), forfeited=st.booleans(),
    )  # fmt: skip
    def book(self, actor: str, number: int, client: int, start: int, status: str, forfeited: bool) -> None:
        pack_id = self._pack_id(number)
        # Mostly the client who has bought the pack.
        pack = self.model.packs.get(pack_id) if pack_id and client != 3 else None
        client_id = pack.client_id if pack else self._client_id(client)
        booking = Booking(self._new_id(), client_id, pack_id, start, status, forfeited)
        self._act(
            actor,
            "insert into public.bookings (id, org_id, client_id, purchase_id, start_time, end_time, status, forfeited)"
            " select ($1->>'id')::uuid, ($1->>'org')::uuid, ($1->>'client')::uuid, ($1->>'pack')::uuid, s,"
            " s + interval '1 hour', $1->>'status', ($1->>'forfeited')::boolean"
            " from (select ($1->>'at')::timestamptz) as x (s) returning null::jsonb",
            lambda: self.model.book(booking),
            id=str(booking.id), org=str(self.table.org.id), client=str(client_id), pack=pack_id and str(pack_id),
            at=self._at(start), status=status, forfeited=forfeited,
        )  # fmt: skip

    @precondition(lambda self: self.model.bookings)
    @rule(
        actor=actors,
        number=which,
        status=st.sampled_from(STATUSES),
        forfeited=st.sampled_from((None, None, True, False)),
    )
    def set_status(self, actor: str, number: int, status: str, forfeited: bool | None) -> None:
        """Accepted, completed, not shown up, cancelled (charged or not), reopened."""
        changes = {"status": status} | ({} if forfeited is None else {"forfeited": forfeited})
        self._update(actor, self._booking(number), changes)

    @precondition(lambda self: self.model.bookings)
    @rule(
        actor=actors, number=which,
        changes=st.fixed_dictionaries({"start": hours})
        | st.fixed_dictionaries(
            {}, optional={"start": hours, "pack": which, "client": which, "forfeited": st.booleans()}
        ).filter(bool),
    )  # fmt: skip
    def edit(self, actor: str, number: int, changes: dict[str, int]) -> None:
        """Moved, put on another pack, given to another client, charged or not: one of them, or several at once."""
        chosen: dict[str, object] = dict(changes)
        if "pack" in changes:
            chosen["pack"] = self._pack_id(changes["pack"])
        if "client" in changes:
            chosen["client"] = self._client_id(changes["client"])
        self._update(actor, self._booking(number), chosen)

    @precondition(lambda self: self.model.bookings)
    @rule(actor=callers, number=which, pack=which, topped=st.booleans())
    def use_for_a_booking(self, actor: str, number: int, pack: int, topped: bool) -> None:
        booking = self._booking(number)
        pack_id = self._pack_of(booking, pack)
        if topped:
            self._top_up(pack_id)
        self._use(actor, pack_id, self.model.bookings[booking.id])

    def _top_up(self, pack_id: UUID) -> None:
        """A session more, that a booking which had none may get."""
        if pack_id in self.model.packs:
            pack = self.model.packs[pack_id]
            self._edit_counts("owner", pack, (pack.total or 0) + 1, pack.used)

    @precondition(lambda self: self.model.bookings)
    @rule(actor=callers, number=which, pack=which, topped=st.booleans())
    def cover(self, actor: str, number: int, pack: int, topped: bool) -> None:
        booking = self._booking(number)
        pack_id = self.table.foreign_pack if pack == 11 else self._pack_of(booking, pack)
        if topped:
            self._top_up(pack_id)
        self._act(
            actor,
            "select null::jsonb from public.cover_booking(($1->>'booking')::uuid, ($1->>'pack')::uuid)",
            lambda: self.model.cover(actor, self.model.bookings[booking.id], pack_id),
            booking=str(booking.id), pack=str(pack_id),
        )  # fmt: skip

    # -- who completes ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.bookings)
    @rule(
        tabs=st.lists(st.sampled_from((*COACHES, "service")), min_size=1, max_size=3), number=which,
        mixed=st.booleans(), dies=st.booleans(), hand=callers,
    )  # fmt: skip
    def calendars_complete(self, tabs: list[str], number: int, mixed: bool, dies: bool, hand: str) -> None:
        """Each open calendar completes the booking, and asks for its pack's session: after its own update, or all after
        all; the last one may be closed before it asks. What they ask for has been taken by the update: nothing is taken
        twice. Then somebody uses a session by hand."""
        booking = self._booking(number)
        if booking.pack_id is None:
            return
        pack = self.model.packs[booking.pack_id]
        asking = tabs[:-1] if dies else tabs
        used = None
        for turn, tab in enumerate(tabs):
            if self._update(tab, self.model.bookings[booking.id], {"status": "completed"}) is None:
                return  # it was cancelled: the calendar logs the error, and does not ask
            used = self.model.packs[pack.id].used if used is None else used
            if not mixed and turn < len(asking):
                self._use(tab, pack.id, None)
        for tab in asking if mixed else []:
            self._use(tab, pack.id, None)
        assert self.model.packs[pack.id].used == used
        self._use(hand, pack.id, None)

    @rule(hour=st.integers(-2, 3), booked=st.lists(hours, max_size=3))
    def worker_runs(self, hour: int, booked: list[int]) -> None:
        """After somebody has booked on the first pack."""
        for start in booked:
            self.book("staff", 0, 0, start, "confirmed", forfeited=False)
        Sessions.steps += 1
        self.agreed = False
        due = [b for b in self.model.bookings.values() if b.status == "confirmed" and b.start + 1 <= hour]
        assert self._value("select app.complete_past_bookings(%s)", self._at(hour)) == len(due)
        # The oldest first: where a pack has too little left, it is theirs.
        for booking in sorted(due, key=lambda b: (b.start, b.id)):
            self.model.change(booking, status="completed")

    @rule()
    def a_minute_passes(self) -> None:
        """What a calendar that closed too early left behind is good for no longer."""
        self.model.credits.clear()
        self.db.execute("update app.completion_credits set created_at = now() - interval '1 minute'")

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def compare(self) -> None:
        self.agreed = False
        state = self._value("select machine.state(%s)", self.table.org.id)
        assert state["broken"] is None
        packs = {str(p.id): [p.total, p.used, None if p.total is None else p.left] for p in self.model.packs.values()}
        assert (state["packs"] or {}) == packs
        bookings = {
            str(b.id): [
                b.status, str(b.client_id), b.pack_id and str(b.pack_id), b.forfeited, b.uncovered,
                int(b.paid_by is not None),
            ]
            for b in self.model.bookings.values()
        }  # fmt: skip
        assert (state["bookings"] or {}) == bookings
        self.agreed = True

    @rule()
    def compare_statements(self) -> None:
        for client_id in self.table.clients:
            row = self.db.execute(
                "select coalesce(sum(sessions), 0), coalesce((array_agg(balance))[count(*)], 0)"
                " from app.client_statement(%s, null, null, now())",
                [client_id],
            ).fetchone()
            left = sum(
                p.left
                for p in self.model.packs.values()
                if p.client_id == client_id and p.total is not None and p.problem(None, 0) is None
            )
            assert row == (left, left)

    @rule()
    def compare_bookable(self) -> None:
        for pack in self.model.packs.values():
            assert self._value("select public.bookable_sessions_remaining(%s)", pack.id) == self.model.bookable(pack)


# -- playing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(world: World) -> Iterator[Table]:
    """An org with two clients and everybody who might act."""
    org, other = world.org(), world.org()
    # The texts are not what is played with.
    world.db.execute("update public.sms_settings set enabled = false")
    people: dict[str, UUID | None] = {
        "owner": org.owner_id,
        "staff": world.member(org, "staff"),
        "accountant": world.member(org, "accountant_readonly"),
        "stranger": other.owner_id,
        "service": None,
    }
    world.db.execute(HELPERS)
    world.db.execute("grant usage on schema machine to public")
    clients = (org.client_id, world.client(org, "+61491570158"))
    with psycopg.connect(world.url(ADMIN), autocommit=True) as db:
        yield Table(db, org, clients, people, world.pack(other))


def test_random_lives_agree_with_the_model(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    examples = int(os.environ.get("SOAK_EXAMPLES", "80"))
    steps = int(os.environ.get("SOAK_STEPS", "60"))
    number = int(os.environ.get("SOAK_SEED", random.randrange(2**32)))  # noqa: S311 - nothing to be kept secret
    with capsys.disabled():
        print(f"\nsessions machine: SOAK_SEED={number}", file=sys.stderr)  # noqa: T201 - what plays it again
    Sessions.table, Sessions.steps = table, 0
    run_state_machine_as_test(
        seed(number)(Sessions),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    with capsys.disabled():
        print(f"sessions machine: {Sessions.steps} steps, all as the model says", file=sys.stderr)  # noqa: T201
